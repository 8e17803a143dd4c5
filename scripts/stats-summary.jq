# A line for the process and one for each listener and server of `/haproxy_stats;json;mqgate`.
"  mqgate \(.version) on \(.node), \(.workers) workers, healthy: \(.healthy)",
(.listeners[] | "  listener \(.name): \(.connections) connections, \(.open) open, \(.bytes_in) B in, \(.bytes_out) B out"),
(.backends[] | .name as $backend | .servers[]
  | "  server \($backend)/\(.name) at \(.address): \(.state), \(.sessions) sessions, \(.in_flight) open")
