import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import javax.sql.DataSource;

/** HikariCP over connections that do nothing, driven as peers.py says: checkout only. */
final class HikariCp {
  /** Answers every method with the least that its type allows. */
  private static <T> T nothing(Class<T> type, Object connection) {
    Object made = Proxy.newProxyInstance(
        HikariCp.class.getClassLoader(), new Class<?>[] {type}, (self, method, arguments) -> {
          Class<?> wanted = method.getReturnType();
          if (wanted == boolean.class) return true;
          if (wanted == int.class) return 0;
          return wanted == Connection.class ? connection : null;
        });
    return type.cast(made);
  }

  public static void main(String[] words) throws Exception {
    if (!words[0].equals("checkout")) throw new IllegalArgumentException("checkout only");
    int workers = Integer.parseInt(words[1]);
    int clients = Integer.parseInt(words[2]);
    HikariConfig config = new HikariConfig();
    config.setDataSource(nothing(DataSource.class, nothing(Connection.class, null)));
    config.setMaximumPoolSize(workers);
    config.setMinimumIdle(workers);
    config.setConnectionTimeout(60_000);
    try (var pool = new HikariDataSource(config)) {
      Rounds.measure(clients, Double.parseDouble(words[3]), clients > workers,
          () -> pool.getConnection().close());
    }
  }
}
