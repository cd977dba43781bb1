// What a plugin in C++ has beside playwarden.h: texts as std::string_view.

#ifndef PLAYWARDEN_HPP
#define PLAYWARDEN_HPP

#include "playwarden.h"

#include <optional>
#include <string>
#include <string_view>

namespace playwarden {

// A text of the host's, which lives until the call ends; a std::string of it lives longer.
inline std::string_view view(pw_string text) {
    return text.ptr ? std::string_view(reinterpret_cast<const char *>(text.ptr), text.len)
                    : std::string_view();
}

inline std::optional<std::string_view> view(plugin_option_string_t text) {
    return text.is_some ? std::optional(view(text.val)) : std::nullopt;
}

// The same for what is absent where its `ptr` is NULL, such as pw_data().
inline std::optional<std::string_view> found(pw_string text) {
    return text.ptr ? std::optional(view(text)) : std::nullopt;
}

inline pw_string string(std::string_view text) {
    return {reinterpret_cast<uint8_t *>(const_cast<char *>(text.data())), text.size()};
}

// A text that lives until the call ends, for a pw_verdict.
inline const char *keep_for_call(std::string_view text) {
    return pw_text("%.*s", static_cast<int>(text.size()), text.data());
}

} // namespace playwarden

// Events of a call, and the events of a walk, in a range-based for.
inline const pw_event *begin(const pw_events &events) {
    return events.ptr;
}
inline const pw_event *end(const pw_events &events) {
    return events.ptr + events.len;
}

#endif
