import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.commons.pool2.BasePooledObjectFactory;
import org.apache.commons.pool2.PooledObject;
import org.apache.commons.pool2.impl.DefaultPooledObject;
import org.apache.commons.pool2.impl.GenericObjectPool;

/** commons-pool2 as it comes (a newcomer may overtake), driven as peers.py says. */
final class CommonsPool2 {
  private static final byte[] PAYLOAD =
      ("{\"text\":\"" + "x".repeat(89) + "\"}").getBytes(StandardCharsets.US_ASCII);

  /** An echo worker, or without a program nothing at all. */
  private static final class Worker {
    private final Process process;
    private final DataOutputStream to;
    private final DataInputStream from;

    Worker(String program) throws IOException {
      process = program == null ? null : new ProcessBuilder(program).start();
      to = process == null ? null
          : new DataOutputStream(new BufferedOutputStream(process.getOutputStream()));
      from = process == null ? null : new DataInputStream(process.getInputStream());
    }

    void echo() throws IOException {
      to.writeInt(PAYLOAD.length);
      to.write(PAYLOAD);
      to.flush();
      byte[] reply = new byte[from.readInt()];
      from.readFully(reply);
      if (!Arrays.equals(reply, PAYLOAD)) throw new IOException("another reply");
    }

    void end() {
      if (process != null) process.destroy();
    }
  }

  private static final class Factory extends BasePooledObjectFactory<Worker> {
    private final String program;

    Factory(String program) {
      this.program = program;
    }

    @Override
    public Worker create() throws IOException {
      return new Worker(program);
    }

    @Override
    public PooledObject<Worker> wrap(Worker worker) {
      return new DefaultPooledObject<>(worker);
    }

    @Override
    public void destroyObject(PooledObject<Worker> worker) {
      worker.getObject().end();
    }
  }

  public static void main(String[] words) throws Exception {
    boolean echo = words[0].equals("echo");
    int workers = Integer.parseInt(words[1]);
    int clients = Integer.parseInt(words[2]);
    try (var pool = new GenericObjectPool<>(new Factory(echo ? words[4] : null))) {
      pool.setMaxTotal(workers);
      pool.setMaxIdle(workers);
      for (int i = 0; i < workers; ++i) pool.addObject();
      Rounds.measure(clients, Double.parseDouble(words[3]), echo || clients > workers, () -> {
        Worker worker = pool.borrowObject();
        if (echo) worker.echo();
        pool.returnObject(worker);
      });
    }
  }
}
