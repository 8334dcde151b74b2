#include "base/guard.h"

#include <new>
#include <stdexcept>
#include <system_error>

namespace lapis {
namespace {

Diagnostic bug(const std::string& what) {
  return error(ErrorKind::Internal, "internal error: " + what)
      .note("this is a bug in Lapis, not in your model")
      .help("please report it with the model, or with the reproducer if one is named");
}

Diagnostic out_of_memory() {
  return error(ErrorKind::Resource, "out of memory")
      .help("free memory, raise the limit of this process, or use smaller shapes");
}

}  // namespace

Diagnostic current_exception_diagnostic() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  } catch (const std::length_error&) {  // a container asked for more than there can be
    return out_of_memory();
  } catch (const std::system_error& e) {
    return error(ErrorKind::Resource, std::string("the system refused: ") + e.what())
        .help("use fewer threads, or raise the limits of this process");
  } catch (const std::exception& e) {
    return bug(e.what());
  } catch (...) {
    return bug("an unknown exception");
  }
}

}  // namespace lapis
