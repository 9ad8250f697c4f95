import java.net.URI;
import java.net.http.*;
import java.time.Duration;

public class Publish {
    public static void main(String[] args) throws Exception {
        String event = "{\"category\":%s,\"data\":{\"text\":%s}}"
            .formatted(json(args[1]), json(args[2]));
        var request = HttpRequest.newBuilder(URI.create(args[0]))
            .timeout(Duration.ofSeconds(5))
            .POST(HttpRequest.BodyPublishers.ofString(event)).build();
        var answer = HttpClient.newHttpClient()
            .send(request, HttpResponse.BodyHandlers.ofString());

        if (answer.statusCode() != 200) throw new Exception(answer.body());
    }

    // Java has no JSON; a library's is as good
    static String json(String text) {
        return '"' + text.replaceAll("[\"\\\\]", "\\\\$0")
                         .replace("\n", "\\n") + '"';
    }
}
