// include/lapis/lapis_c.h over the runtime's own classes.
#include "lapis/lapis_c.h"

#include "runtime/executable.h"

struct lapis_executable {
  lapis::Executable executable;
};
struct lapis_session {
  lapis::Session session;
};

namespace {

thread_local std::string g_last_error;

void remember(const lapis::Diagnostics& diagnostics) { g_last_error = lapis::to_string(diagnostics); }

lapis_value_info describe(const lapis::IoInfo& io) {
  return {io.name.c_str(), static_cast<int>(io.dtype), io.shape.size(), io.shape.data(),
          static_cast<size_t>(io.bytes())};
}

}  // namespace

lapis_executable* lapis_load(const char* artifact) {
  auto executable = lapis::Executable::load(artifact);
  if (executable.ok()) return new lapis_executable{*std::move(executable)};
  remember(executable.diagnostics());
  return nullptr;
}

void lapis_executable_destroy(lapis_executable* executable) { delete executable; }
size_t lapis_input_count(const lapis_executable* e) { return e->executable.program().inputs.size(); }
size_t lapis_output_count(const lapis_executable* e) { return e->executable.program().outputs.size(); }
lapis_value_info lapis_input_info(const lapis_executable* e, size_t index) {
  return describe(e->executable.program().inputs[index]);
}
lapis_value_info lapis_output_info(const lapis_executable* e, size_t index) {
  return describe(e->executable.program().outputs[index]);
}

lapis_session* lapis_session_create(const lapis_executable* executable, int threads) {
  auto session = executable->executable.session({.threads = threads});
  if (session.ok()) return new lapis_session{*std::move(session)};
  remember(session.diagnostics());
  return nullptr;
}

void lapis_session_destroy(lapis_session* session) { delete session; }

int lapis_run(lapis_session* session, const void* const* inputs, void* const* outputs) {
  const lapis::Program& program = session->session.program();
  std::vector<void*> io;
  for (size_t i = 0; i < program.inputs.size(); ++i) io.push_back(const_cast<void*>(inputs[i]));
  for (size_t i = 0; i < program.outputs.size(); ++i) io.push_back(outputs[i]);
  const lapis::Status status = session->session.run(io.data());
  if (status.ok()) return 0;
  remember(status.diagnostics());
  return -1;
}

const char* lapis_last_error(void) { return g_last_error.c_str(); }
