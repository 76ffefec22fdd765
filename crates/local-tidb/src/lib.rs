//! Embedded TiDB: MySQL protocol, SQL execution, transactions on TiKV.
