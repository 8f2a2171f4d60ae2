#include "harness/probe/table.hpp"

#include <catch2/catch.hpp>

namespace poolproof::probe {
namespace {

Row row(std::string_view id, Verdict verdict, std::string what, bool told_elsewhere = false) {
  return {id, "does well", {verdict, std::move(what), told_elsewhere}, {}};
}

TEST_CASE("probe table: a broken row makes a worker useless, and is what the diagnosis names",
          "[probe]") {
  const std::vector<Row> rows{
      row("a", Verdict::held, "answers"), row("b", Verdict::remark, "is slow"),
      row("c", Verdict::broken, "hangs"), row("d", Verdict::broken, "hangs again", true),
      row("e", Verdict::broken, "leaves a process behind")};
  CHECK(diagnose(rows) == "no good worker for a pool: it hangs; it leaves a process behind");
  CHECK_FALSE(Table{{}, rows, ""}.usable());
}

TEST_CASE("probe table: remarks alone leave a worker usable", "[probe]") {
  const std::vector<Row> rows{
      row("a", Verdict::held, "answers"), row("b", Verdict::remark, "is slow"),
      row("c", Verdict::remark, "is loud"), row("d", Verdict::not_tried, "it answers no call")};
  CHECK(diagnose(rows) == "a worker that a pool can use, though it is slow, and it is loud");
  CHECK(Table{{}, rows, ""}.usable());
  CHECK(diagnose({rows.front()}) == "a sound worker");
}

TEST_CASE("probe table: the page shows all rows, and why some were not tried", "[probe]") {
  const Table table{{},
                    {row("a", Verdict::held, "answers"), row("b", Verdict::remark, "is slow"),
                     row("c", Verdict::not_tried, "why"), row("d", Verdict::not_tried, "why")},
                    ""};
  CHECK(told(table) ==
        "held      a               answers\n"
        "remark    b               is slow\n"
        "                          (a sound worker does well)\n"
        "not tried c, d: why\n");
}

}  // namespace
}  // namespace poolproof::probe
