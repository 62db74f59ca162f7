# In the place of prom/prometheus, where that cannot be pulled.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends prometheus
USER 65534
ENTRYPOINT ["/usr/bin/prometheus"]
