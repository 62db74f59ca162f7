/** task_context 1.0 and 1.1 -> 2.0 with Kafka Streams and Jackson: BOOTSTRAP SOURCE DESTINATION GROUP DELIVERY COMPRESSION [tuned]. */

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;

public final class KafkaStreams {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, String> METADATA = Map.of("taskId", "task_id", "projectId", "project_id", "repoPath", "repo_path");
    private static final Map<String, String> NODE = Map.of("startedAt", "started_at", "finishedAt", "finished_at", "durationMs", "duration_ms");

    public static void main(String[] given) throws IOException {
        var settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, given[3]);
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, given[0]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, Files.createTempDirectory("streams").toString());
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), given[5]);
        if (given[4].equals("exactly-once")) {
            settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        }
        if (given.length > 6) { // Confluent's advice for throughput: larger batches, longer commits, no metrics of records.
            settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 900_000);
            settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 100);
            settings.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 64 * 1024 * 1024);
            settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
            settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.FETCH_MIN_BYTES_CONFIG), 100_000);
            settings.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 10_000);
            settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 500);
        }
        var builder = new StreamsBuilder();
        builder.stream(given[1], Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
            .mapValues(KafkaStreams::upcast)
            .to(given[2], Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
        var streams = new org.apache.kafka.streams.KafkaStreams(builder.build(), settings);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    static byte[] upcast(byte[] value) {
        try {
            var body = (ObjectNode) JSON.readTree(value);
            var metadata = (ObjectNode) body.get("metadata");
            var nodes = (ObjectNode) body.get("nodes");
            if (metadata.has("task_id") && metadata.has("repo_path") && metadata.has("branch") && nodes.has("prep")) {
                return value;
            }
            rename(metadata, METADATA);
            if (!metadata.hasNonNull("branch")) {
                metadata.put("branch", "main");
            }
            if (!metadata.hasNonNull("repo_path")) {
                metadata.put("repo_path", "/workspace/repos/" + metadata.get("project_id").textValue());
            }
            nodes.forEach(node -> rename((ObjectNode) node, NODE));
            if (!nodes.has("prep")) {
                var completed = nodes.path("select").path("status").asText().equals("completed");
                nodes.putObject("prep").put("status", completed ? "running" : "pending");
            }
            return JSON.writeValueAsBytes(body);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static void rename(ObjectNode node, Map<String, String> names) {
        names.forEach((old, name) -> {
            var found = node.remove(old);
            if (found != null) {
                node.set(name, found);
            }
        });
    }
}
