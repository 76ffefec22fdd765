#!/bin/bash
# Formats the storage of a KRaft node once and starts it. Arguments are passed to kafka-server-start.sh.
set -euo pipefail

kafka=${KAFKA_HOME:-/opt/kafka}
properties=${KAFKA_PROPERTIES:-/etc/tidegate/kraft.properties}
# Any 16 bytes in base64; fixed, so that a broker that starts again finds its own storage.
cluster_id=${KAFKA_CLUSTER_ID:-dGlkZWdhdGUta2Fma2EtMQ}

"$kafka/bin/kafka-storage.sh" format --ignore-formatted --cluster-id "$cluster_id" --config "$properties"
exec "$kafka/bin/kafka-server-start.sh" "$properties" "$@"
