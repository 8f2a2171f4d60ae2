import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;

/** What the drivers of Java's pools share: clients that run in rounds, as peers.py says. */
final class Rounds {
  interface Operation {
    void run() throws Exception;
  }

  private Rounds() {}

  /** Rounds of twice the length, until two in a row last so long. Prints the second of them. */
  static void measure(int clients, double seconds, boolean timed, Operation operation)
      throws InterruptedException {
    double before = 0;
    for (long each = 1; ; each *= 2) {
      AtomicLong longest = new AtomicLong();
      double took = round(clients, each, timed, operation, longest);
      if (Math.min(before, took) < seconds) {
        before = took;
        continue;
      }
      String wait = timed ? ", \"longest_us\": " + longest.get() / 1e3 : "";
      System.out.printf(
          Locale.ROOT, "{\"operations\": %d, \"seconds\": %.6f%s}%n", each * clients, took, wait);
      return;
    }
  }

  /** The seconds in which each client has run the operation so often. */
  private static double round(
      int clients, long each, boolean timed, Operation operation, AtomicLong longest)
      throws InterruptedException {
    CountDownLatch start = new CountDownLatch(1);
    Thread[] threads = new Thread[clients];
    for (int i = 0; i < clients; ++i) {
      threads[i] = new Thread(() -> client(each, timed, operation, start, longest));
      threads[i].start();
    }
    long begun = System.nanoTime();
    start.countDown();
    for (Thread thread : threads) thread.join();
    return (System.nanoTime() - begun) / 1e9;
  }

  private static void client(
      long each, boolean timed, Operation operation, CountDownLatch start, AtomicLong longest) {
    long most = 0;
    try {
      start.await();
      for (long i = 0; i < each; ++i) {
        long begun = timed ? System.nanoTime() : 0;
        operation.run();
        if (timed) most = Math.max(most, System.nanoTime() - begun);
      }
    } catch (Exception wrong) {
      wrong.printStackTrace();
      System.exit(1);
    }
    longest.accumulateAndGet(most, Math::max);
  }
}
