// JSON, as far as plugins need it. A text that comes from the host is valid: what is checked here
// is where it ends.

#include "playwarden.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- A text that grows.

static void append_bytes(pw_buffer *buffer, const void *bytes, size_t size) {
    if (buffer->room - buffer->len <= size) {
        buffer->room = 2 * (buffer->len + size) + 64;
        buffer->ptr = pw_realloc(buffer->ptr, buffer->room);
    }
    if (size)
        memcpy(buffer->ptr + buffer->len, bytes, size);
    buffer->len += size;
    buffer->ptr[buffer->len] = '\0';
}

static void append_string(pw_buffer *buffer, pw_string text) {
    append_bytes(buffer, text.ptr, text.len);
}

void pw_append(pw_buffer *buffer, const char *format, ...) {
    va_list values, again;
    va_start(values, format);
    va_copy(again, values);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0)
        pw_die("format `%s` cannot be printed", format);
    if (buffer->room - buffer->len <= (size_t)length) {
        buffer->room = 2 * (buffer->len + (size_t)length) + 64;
        buffer->ptr = pw_realloc(buffer->ptr, buffer->room);
    }
    vsnprintf(buffer->ptr + buffer->len, (size_t)length + 1, format, values);
    va_end(values);
    buffer->len += (size_t)length;
}

void pw_append_quoted(pw_buffer *buffer, pw_string text) {
    static const char letters[] = "btn_fr"; // of the characters 8 to 13
    append_bytes(buffer, "\"", 1);
    size_t done = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c >= ' ' && c != '"' && c != '\\')
            continue;
        append_bytes(buffer, text.ptr + done, i - done);
        done = i + 1;
        if (c >= ' ')
            pw_append(buffer, "\\%c", c);
        else if (c >= '\b' && c <= '\r' && c != '\v')
            pw_append(buffer, "\\%c", letters[c - '\b']);
        else
            pw_append(buffer, "\\u%04x", c);
    }
    append_bytes(buffer, text.ptr + done, text.len - done);
    append_bytes(buffer, "\"", 1);
}

// ---- Reading: each function takes off the front of `rest` what it has read.

static void skip(pw_string *rest, size_t count) {
    rest->ptr += count;
    rest->len -= count;
}

static char peek(pw_string *rest) {
    while (rest->len && strchr(" \t\r\n", rest->ptr[0]))
        skip(rest, 1);
    return rest->len ? (char)rest->ptr[0] : '\0';
}

static bool take(pw_string *rest, char wanted) {
    if (peek(rest) != wanted)
        return false;
    skip(rest, 1);
    return true;
}

// Length of a string with its quotes.
static size_t string_length(pw_string json) {
    size_t i = 1;
    while (i < json.len && json.ptr[i] != '"')
        i += json.ptr[i] == '\\' ? 2 : 1;
    return i < json.len ? i + 1 : json.len;
}

static pw_string take_value(pw_string *rest) {
    peek(rest);
    size_t i = 0, depth = 0;
    while (i < rest->len) {
        uint8_t c = rest->ptr[i];
        if (depth == 0 && i > 0 && strchr(",]} \t\r\n", c))
            break;
        if (c == '"')
            i += string_length((pw_string){rest->ptr + i, rest->len - i});
        else
            i++;
        if (c == '{' || c == '[')
            depth++;
        if (c == '}' || c == ']')
            depth--;
        if (depth == 0 && strchr("\"}]", c))
            break;
    }
    pw_string value = {rest->ptr, i};
    skip(rest, i);
    return value;
}

static unsigned hex4(const uint8_t *digits) {
    char text[5] = {0};
    memcpy(text, digits, 4);
    return (unsigned)strtoul(text, NULL, 16);
}

static size_t put_utf8(uint8_t *to, unsigned c) {
    if (c < 0x80) {
        to[0] = (uint8_t)c;
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = size; i-- > 1; c >>= 6)
        to[i] = 0x80 | (c & 0x3f);
    static const uint8_t first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    to[0] = first[size] | (uint8_t)c;
    return size;
}

// Decodes a string into memory of the caller, which no decoded text is longer than; returns its
// length.
static size_t decode(pw_string json, uint8_t *to) {
    size_t length = 0;
    for (size_t i = 1; i + 1 < json.len; i++) {
        if (json.ptr[i] != '\\') {
            to[length++] = json.ptr[i];
            continue;
        }
        static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
        const char *letter;
        uint8_t c = json.ptr[++i];
        if (c == 'u') {
            unsigned code = hex4(json.ptr + i + 1);
            i += 4;
            bool is_pair = code >> 10 == 0xd800 >> 10 && json.ptr[i + 1] == '\\' &&
                           json.ptr[i + 2] == 'u' && hex4(json.ptr + i + 3) >> 10 == 0xdc00 >> 10;
            if (is_pair) {
                code = 0x10000 + ((code & 0x3ff) << 10) + (hex4(json.ptr + i + 3) & 0x3ff);
                i += 6;
            }
            // Half of a pair is no character.
            length += put_utf8(to + length, code >> 11 == 0xd800 >> 11 ? 0xfffd : code);
        } else if ((letter = strchr(letters, c))) {
            to[length++] = (uint8_t)meant[letter - letters];
        } else {
            to[length++] = c;
        }
    }
    return length;
}

pw_string pw_json_text(pw_string json) {
    if (json.len < 2 || json.ptr[0] != '"')
        return (pw_string){0};
    pw_string text = {pw_temporary(json.len), 0};
    text.len = decode(json, text.ptr);
    return text;
}

bool pw_json_member(pw_string *rest, pw_string *key, pw_string *value) {
    if (!take(rest, '{'))
        take(rest, ',');
    if (peek(rest) != '"')
        return false;
    *key = pw_json_text(take_value(rest));
    take(rest, ':');
    *value = take_value(rest);
    return true;
}

bool pw_json_item(pw_string *rest, pw_string *item) {
    if (!take(rest, '['))
        take(rest, ',');
    if (peek(rest) == ']' || !rest->len)
        return false;
    *item = take_value(rest);
    return true;
}

// ---- Writing in one form.

// The fewest digits that are this number and no other: `digits` without a point, which is behind
// `*point` of them.
static size_t shortest(double number, char digits[static 18], int *point) {
    char text[32];
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, number);
        if (strtod(text, NULL) == number)
            break;
    }
    size_t length = 0;
    for (char *at = text; *at != 'e'; at++)
        if (*at >= '0' && *at <= '9')
            digits[length++] = *at;
    while (length > 1 && digits[length - 1] == '0')
        length--;
    *point = atoi(strchr(text, 'e') + 1) + 1;
    return length;
}

static void append_zeros(pw_buffer *buffer, int count) {
    while (count-- > 0)
        append_bytes(buffer, "0", 1);
}

static void append_plain(pw_buffer *buffer, const char *digits, int length, int point) {
    if (point <= 0) {
        append_bytes(buffer, "0.", 2);
        append_zeros(buffer, -point);
        append_bytes(buffer, digits, (size_t)length);
    } else if (point >= length) {
        append_bytes(buffer, digits, (size_t)length);
        append_zeros(buffer, point - length);
    } else {
        pw_append(buffer, "%.*s.%.*s", point, digits, length - point, digits + point);
    }
}

const char *pw_number(double number) {
    char digits[18];
    int point;
    size_t length = shortest(number, digits, &point);
    pw_buffer text = {0};
    pw_append(&text, number < 0 ? "-" : "");
    append_plain(&text, digits, (int)length, digits[0] == '0' ? 1 : point);
    const char *copy = pw_text("%s", text.ptr);
    free(text.ptr);
    return copy;
}

static void append_number(pw_buffer *buffer, pw_string json) {
    const char *text = pw_text("%.*s", PW_ARG(json));
    bool whole = !strpbrk(text, ".eE");
    bool negative = text[0] == '-';
    // Whole numbers of 64 bits stay what they are.
    errno = 0;
    long long least = strtoll(text, NULL, 10);
    bool fits = errno == 0 && !(negative && least == 0);
    if (!fits && !negative) {
        errno = 0;
        strtoull(text, NULL, 10);
        fits = errno == 0;
    }
    if (whole && fits) {
        append_string(buffer, json);
        return;
    }
    char digits[18];
    int point, length = (int)shortest(strtod(text, NULL), digits, &point);
    if (negative)
        append_bytes(buffer, "-", 1);
    if (digits[0] == '0') {
        append_bytes(buffer, "0.0", 3);
    } else if (point > -5 && point <= 16) {
        append_plain(buffer, digits, length, point);
        if (point >= length)
            append_bytes(buffer, ".0", 2);
    } else {
        pw_append(buffer, "%c%s%.*se%+d", digits[0], length > 1 ? "." : "", length - 1, digits + 1,
                  point - 1);
    }
}

typedef struct {
    pw_string key, value;
    size_t place;
} member;

static int by_key_and_place(const void *left, const void *right) {
    const member *a = left, *b = right;
    int order = pw_compare(a->key, b->key);
    return order ? order : (a->place > b->place) - (a->place < b->place);
}

static void append_object(pw_buffer *buffer, pw_string json) {
    member *members = NULL, next;
    size_t count = 0;
    for (; pw_json_member(&json, &next.key, &next.value); count++) {
        next.place = count;
        members = pw_realloc(members, (count + 1) * sizeof *members);
        members[count] = next;
    }
    if (count)
        qsort(members, count, sizeof *members, by_key_and_place);
    const char *before = "{";
    for (size_t i = 0; i < count; i++) {
        // Of a key that is there twice, the last one holds.
        if (i + 1 < count && pw_equal(members[i].key, members[i + 1].key))
            continue;
        append_bytes(buffer, before, 1);
        pw_append_quoted(buffer, members[i].key);
        append_bytes(buffer, ":", 1);
        pw_append_json(buffer, members[i].value);
        before = ",";
    }
    append_bytes(buffer, count ? "}" : "{}", count ? 1 : 2);
    free(members);
}

void pw_append_json(pw_buffer *buffer, pw_string json) {
    switch (peek(&json)) {
    case '{':
        append_object(buffer, json);
        break;
    case '[': {
        append_bytes(buffer, "[", 1);
        pw_string item;
        for (const char *between = ""; pw_json_item(&json, &item); between = ",") {
            pw_append(buffer, "%s", between);
            pw_append_json(buffer, item);
        }
        append_bytes(buffer, "]", 1);
        break;
    }
    case '"':
        pw_append_quoted(buffer, pw_json_text(json));
        break;
    case 't':
    case 'f':
    case 'n':
        append_string(buffer, json);
        break;
    default:
        append_number(buffer, json);
    }
}
