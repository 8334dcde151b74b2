#include "tools/lapis/steps.h"

#include "tools/lapis/inputs.h"

namespace lapis::cli {

Result<std::vector<MeasuredStep>> measured_steps(Runner& runner, int runs) {
  Session& session = *runner.session();
  LAPIS_TRY(const std::vector<Tensor> inputs, random_inputs(runner.inputs()));
  const Program& program = session.program();
  std::vector<std::vector<double>> samples(program.steps.size());
  for (int i = -3; i < runs; ++i) {
    session.reset_profile();
    LAPIS_TRY(const std::vector<Tensor> outputs, runner.run(inputs));
    static_cast<void>(outputs);
    for (size_t s = 0; i >= 0 && s < samples.size(); ++s) samples[s].push_back(session.step_nanoseconds()[s] / 1e3);
  }
  std::vector<MeasuredStep> steps;
  for (size_t s = 0; s < samples.size(); ++s) steps.push_back({&program.steps[s], s, percentile(samples[s], 50)});
  return steps;
}

}  // namespace lapis::cli
