// include/lapis/lapis_c.h over the runtime's own classes.
#include "lapis/lapis_c.h"

#include "base/guard.h"
#include "runtime/executable.h"
#include "runtime/thread_pool.h"

struct lapis_executable {
  lapis::Executable executable;
};
struct lapis_session {
  lapis::Session session;
};
struct lapis_thread_pool {
  std::shared_ptr<lapis::ThreadPool> pool;
};

namespace {

using lapis::error;
using lapis::ErrorKind;
using lapis::Result;
using lapis::Status;

thread_local std::string t_message;
thread_local const char* t_last_error = "";

void remember(const lapis::Diagnostics& diagnostics) noexcept {
  try {
    t_message = lapis::to_string(diagnostics);
    t_last_error = t_message.c_str();
  } catch (...) {
    t_last_error = "error: out of memory\n";
  }
}

// The value of f(), or `failure` with the reason remembered, whether it is in the Result or was thrown.
template <class T, class Function> T or_else(T failure, Function&& f) noexcept {
  try {
    Result<T> result = lapis::guarded(std::forward<Function>(f));
    if (result.ok()) return *std::move(result);
    remember(result.diagnostics());
  } catch (...) {
    t_last_error = "error: out of memory\n";
  }
  return failure;
}

lapis::Diagnostic null_argument(const std::string& what) {
  return error(ErrorKind::Usage, what + " is NULL").help("check what the call before it returned");
}

using List = std::vector<lapis::IoInfo>;

lapis_value_info info_of(const lapis_executable* e, List lapis::Program::*list, size_t index) {
  constexpr lapis_value_info kNone{"", 0, 0, nullptr, 0};
  return or_else(kNone, [&]() -> Result<lapis_value_info> {
    if (!e) return null_argument("the executable");
    const List& values = e->executable.program().*list;
    if (index >= values.size())
      return error(ErrorKind::Usage,
                   "index " + std::to_string(index) + " of " + std::to_string(values.size()) + " values")
          .help("indices begin at 0 and end before the count");
    const lapis::IoInfo& io = values[index];
    return lapis_value_info{io.name.c_str(), static_cast<int>(io.dtype), io.shape.size(), io.shape.data(),
                            static_cast<size_t>(io.bytes())};
  });
}

size_t count_of(const lapis_executable* e, List lapis::Program::*list) {
  return or_else(size_t{0}, [&]() -> Result<size_t> {
    if (!e) return null_argument("the executable");
    return (e->executable.program().*list).size();
  });
}

lapis_executable* load(const char* artifact, bool verify) {
  return or_else<lapis_executable*>(nullptr, [&]() -> Result<lapis_executable*> {
    if (!artifact) return null_argument("the file name");
    LAPIS_TRY(auto executable, lapis::Executable::load(artifact, {verify}));
    return new lapis_executable{std::move(executable)};
  });
}

// Arrays of `count` and what the model has; their elements are looked at by Session.
lapis::Diagnostics check_array(const void* array, size_t count, const List& wanted, const std::string& what) {
  if (count != wanted.size())
    return {error(ErrorKind::Mismatch,
                  "the model has " + std::to_string(wanted.size()) + " " + what + ", got " + std::to_string(count))
                .help("give one buffer for each, in the model's order")};
  if (!array && !wanted.empty()) return {null_argument("the array of " + what)};
  return {};
}

template <class Buffer>
void check_sizes(const Buffer* buffers, const List& wanted, const std::string& what, lapis::Diagnostics& findings) {
  for (size_t i = 0; i < wanted.size(); ++i)
    if (const auto bytes = static_cast<size_t>(wanted[i].bytes()); buffers[i].bytes != bytes)
      findings.push_back(error(ErrorKind::Mismatch, what + " '" + wanted[i].name + "' has " + std::to_string(bytes) +
                                                        " bytes, got " + std::to_string(buffers[i].bytes))
                             .help("lapis_value_info::bytes is the size of the buffer"));
}

Status run(lapis_session* session, const lapis_input_buffer* inputs, size_t input_count,
           const lapis_output_buffer* outputs, size_t output_count) {
  if (!session) return null_argument("the session");
  const lapis::Program& program = session->session.program();
  lapis::Diagnostics findings = check_array(inputs, input_count, program.inputs, "inputs");
  for (auto& d : check_array(outputs, output_count, program.outputs, "outputs")) findings.push_back(d);
  if (!findings.empty()) return findings;
  check_sizes(inputs, program.inputs, "input", findings);
  check_sizes(outputs, program.outputs, "output", findings);
  if (!findings.empty()) return findings;
  std::vector<void*> io;
  for (size_t i = 0; i < input_count; ++i) io.push_back(const_cast<void*>(inputs[i].data));
  for (size_t i = 0; i < output_count; ++i) io.push_back(outputs[i].data);
  return session->session.run(io.data());
}

Status run_unsized(lapis_session* session, const void* const* inputs, void* const* outputs) {
  if (!session) return null_argument("the session");
  const lapis::Program& program = session->session.program();
  if (!inputs && !program.inputs.empty()) return null_argument("the array of inputs");
  if (!outputs && !program.outputs.empty()) return null_argument("the array of outputs");
  std::vector<void*> io;
  for (size_t i = 0; i < program.inputs.size(); ++i) io.push_back(const_cast<void*>(inputs[i]));
  for (size_t i = 0; i < program.outputs.size(); ++i) io.push_back(outputs[i]);
  return session->session.run(io.data());
}

class ExecutorInC final : public lapis::v1::Executor {
 public:
  explicit ExecutorInC(const lapis_executor& executor) : executor_(executor) {}
  int threads() const override { return executor_.threads(executor_.context); }
  bool concurrent() const override { return executor_.concurrent != 0; }
  void parallel(int most, const Work& work) override {
    const lapis_part part = [](void* w, int index, int count) { (*static_cast<const Work*>(w))(index, count); };
    executor_.parallel(executor_.context, most, part, const_cast<Work*>(&work));
  }

 private:
  const lapis_executor executor_;
};

lapis_session* create_session(const lapis_executable* executable, const lapis::SessionOptions& options) {
  return or_else<lapis_session*>(nullptr, [&]() -> Result<lapis_session*> {
    if (!executable) return null_argument("the executable");
    LAPIS_TRY(auto session, executable->executable.session(options));
    return new lapis_session{std::move(session)};
  });
}

// 0, or -1 with the reason remembered.
template <class Function> int status_of(Function&& f) {
  return or_else(-1, [&]() -> Result<int> {
    LAPIS_CHECK(f());
    return 0;
  });
}

}  // namespace

lapis_executable* lapis_load(const char* artifact) { return load(artifact, false); }
lapis_executable* lapis_load_checked(const char* artifact) { return load(artifact, true); }

void lapis_executable_destroy(lapis_executable* executable) { delete executable; }
size_t lapis_input_count(const lapis_executable* e) { return count_of(e, &lapis::Program::inputs); }
size_t lapis_output_count(const lapis_executable* e) { return count_of(e, &lapis::Program::outputs); }
lapis_value_info lapis_input_info(const lapis_executable* e, size_t index) {
  return info_of(e, &lapis::Program::inputs, index);
}
lapis_value_info lapis_output_info(const lapis_executable* e, size_t index) {
  return info_of(e, &lapis::Program::outputs, index);
}

lapis_session* lapis_session_create(const lapis_executable* executable, int threads) {
  return create_session(executable, {.threads = threads});
}

lapis_session* lapis_session_create_on(const lapis_executable* executable, const lapis_executor* executor,
                                       int threads) {
  return or_else<lapis_session*>(nullptr, [&]() -> Result<lapis_session*> {
    if (!executor || !executor->threads || !executor->parallel)
      return null_argument("the executor or one of its functions");
    return create_session(executable, {threads, false, std::make_shared<ExecutorInC>(*executor)});
  });
}

lapis_thread_pool* lapis_thread_pool_create(int threads) {
  return or_else<lapis_thread_pool*>(nullptr, [&]() -> Result<lapis_thread_pool*> {
    LAPIS_TRY(auto pool, lapis::ThreadPool::create(threads));
    return new lapis_thread_pool{std::move(pool)};
  });
}

void lapis_thread_pool_destroy(lapis_thread_pool* pool) { delete pool; }

lapis_session* lapis_session_create_on_pool(const lapis_executable* executable, lapis_thread_pool* pool, int threads) {
  return or_else<lapis_session*>(nullptr, [&]() -> Result<lapis_session*> {
    if (!pool) return null_argument("the thread pool");
    return create_session(executable, {threads, false, pool->pool});
  });
}

void lapis_session_destroy(lapis_session* session) { delete session; }

int lapis_run(lapis_session* session, const void* const* inputs, void* const* outputs) {
  return status_of([&] { return run_unsized(session, inputs, outputs); });
}

int lapis_run_checked(lapis_session* session, const lapis_input_buffer* inputs, size_t input_count,
                      const lapis_output_buffer* outputs, size_t output_count) {
  return status_of([&] { return run(session, inputs, input_count, outputs, output_count); });
}

const char* lapis_last_error(void) { return t_last_error; }
