#!/bin/sh
# Apache starts this file. With exec, signals from Apache reach Node.
cd "$(dirname "$(readlink -f "$0")")" && exec node --import fcgi-bridge/register server.mjs
