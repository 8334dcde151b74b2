#include "tuning/reports/tensorboard.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "tuning/reports/events.h"

namespace lapis {
namespace {

void add_scalars(Events& events, const Trial& t, const std::string& metric) {
  if (!t.measured()) return;
  events.scalar(t.number, "accuracy/" + metric, t.accuracy);
  events.scalar(t.number, "cost/milliseconds", t.costs.milliseconds);
  events.scalar(t.number, "cost/megabytes", t.costs.size_bytes / 1e6);
  events.scalar(t.number, "search/improvement", t.improvement);
  events.scalar(t.number, "search/meets_target", t.passes ? 1 : 0);
  events.scalar(t.number, "search/int8_nodes", static_cast<double>(t.int8_nodes()));
}

Status refused(const Path& path, const std::string& why) {
  return error(ErrorKind::Io, "cannot write an event file: " + why)
      .at(path.string())
      .help("name a folder where you may write in `tuning.tensorboard` or --tensorboard");
}

Status append(const Path& path, const std::string& bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd < 0) return refused(path, std::strerror(errno));
  const bool written = write_all(fd, std::as_bytes(std::span(bytes)));
  const int code = errno;
  ::close(fd);
  return written ? ok() : refused(path, std::strerror(code));
}

}  // namespace

Status TensorBoard::make(const std::string& run) const {
  std::error_code failed;
  std::filesystem::create_directories(folder_ / run, failed);
  return failed ? refused(folder_ / run, failed.message()) : ok();
}

Status TensorBoard::write_trials(const History& history, const std::string& metric) {
  Events events(written_ == 0 ? Events::Begin::File : Events::Begin::Append);
  for (size_t i = written_; i < history.trials.size(); ++i) add_scalars(events, history.trials[i], metric);
  const Path file = folder_ / "trials" / kEventFile;
  LAPIS_CHECK(written_ == 0 ? write_file(file, std::string_view(events.bytes())) : append(file, events.bytes()));
  written_ = history.trials.size();
  return ok();
}

Status TensorBoard::write_model(const std::string& run, const Graph& graph, const Insight& insight, bool fp32) const {
  LAPIS_CHECK(make(run));
  const int step = fp32 ? 0 : insight.trial;
  Events events;
  events.graph(graph, fp32 ? std::unordered_set<std::string>() : insight.int8);
  for (const auto& [kind, list] : {std::pair("values/", &insight.values), std::pair("weights/", &insight.weights)})
    for (const Distribution& d : *list) events.histogram(step, kind + d.name, fp32 ? d.fp32 : d.trial);
  return write_file(folder_ / run / kEventFile, std::string_view(events.bytes()));
}

Status TensorBoard::write(const History& history, const std::string& metric, const Graph& fp32,
                          const Insight& insight) {
  if (!wanted()) return ok();
  LAPIS_CHECK(make("trials"));
  LAPIS_CHECK(write_trials(history, metric));
  if (insight.trial < 0 || insight.trial == looked_into_ || !insight.graph) return ok();
  LAPIS_CHECK(write_model("fp32", fp32, insight, true));
  if (insight.trial > 0) {
    char run[32];
    std::snprintf(run, sizeof run, "trial_%03d", insight.trial);
    LAPIS_CHECK(write_model(run, *insight.graph, insight, false));
  }
  looked_into_ = insight.trial;
  return ok();
}

}  // namespace lapis
