#!/bin/sh
# Creates the changefeed unless it exists. Needs CDC_SERVER, CHANGEFEED_ID and SINK_URI.
set -eu

if /cdc cli changefeed query --server="$CDC_SERVER" --changefeed-id="$CHANGEFEED_ID" --simple >/dev/null 2>&1; then
    echo "Changefeed $CHANGEFEED_ID exists already."
    exit 0
fi
exec /cdc cli changefeed create --no-confirm \
    --server="$CDC_SERVER" --changefeed-id="$CHANGEFEED_ID" --sink-uri="$SINK_URI"
