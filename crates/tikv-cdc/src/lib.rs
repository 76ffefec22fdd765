//! Change feeds of TiKV: subscriptions, prewrite/commit matching, resolved-ts frontier.
