# In the place of apache/kafka, where that cannot be pulled: the same broker and the same translation of KAFKA_* variables,
# which is a class in Kafka's own core jar.
FROM debian:bookworm-slim
COPY java-runtime /opt/java/openjdk
COPY libs /opt/kafka/libs
COPY etc /etc/kafka/docker
RUN chmod 755 /etc/kafka/docker/run && mkdir -p /opt/kafka/config /mnt/shared/config /var/lib/kafka/data \
    && chown -R 1000:1000 /opt/kafka/config /mnt/shared/config /var/lib/kafka
USER 1000
CMD ["/etc/kafka/docker/run"]
