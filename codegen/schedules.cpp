#include "codegen/schedules.h"

#include "codegen/kernels/schedule.h"

namespace lapis::codegen {
namespace {

constexpr std::string_view kBetween = " : ";

Status read_line(std::string_view line, Schedules& schedules) {
  const size_t between = line.find(kBetween);
  if (between == std::string_view::npos)
    return error(ErrorKind::Usage, "'" + std::string(line) + "' names no contraction")
        .help("write SCHEDULE : NAME, as --save-schedules does");
  LAPIS_TRY(const Schedule schedule, kernels::parse_schedule(line.substr(0, between)));
  const std::string name(line.substr(between + kBetween.size()));
  if (!schedules.emplace(name, schedule).second)
    return error(ErrorKind::Usage, "'" + name + "' has two schedules").help("leave one");
  return ok();
}

}  // namespace

Schedules schedules_of(const Plan& plan) {
  Schedules schedules;
  for (const Step& step : plan.steps)
    if (const auto* c = std::get_if<Contraction>(&step.region)) schedules.emplace(c->name, c->schedule);
  return schedules;
}

std::string to_text(const Schedules& schedules) {
  std::string text;
  for (const auto& [name, schedule] : schedules)
    text += kernels::to_string(schedule) + std::string(kBetween) + name + "\n";
  return text;
}

Result<Schedules> parse_schedules(std::string_view text, const std::string& file) {
  Schedules schedules;
  Diagnostics found;
  for (int number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    const Status status = read_line(line, schedules);
    for (const Diagnostic& d : status.diagnostics())
      found.push_back(Diagnostic(d).at(file + ":" + std::to_string(number)));
  }
  if (!found.empty()) return found;
  return schedules;
}

}  // namespace lapis::codegen
