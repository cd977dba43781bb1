//! JSON, as far as plugins need it, and the configuration.

const std = @import("std");
const playwarden = @import("playwarden.zig");
const Value = std.json.Value;
const Writer = std.Io.Writer;

pub const Object = std.json.ObjectMap;

/// Reads JSON. Numbers stay text: none loses a digit.
pub fn parse(text: []const u8) !Value {
    return std.json.parseFromSliceLeaky(Value, playwarden.memory(), text, .{
        .parse_numbers = false,
        .duplicate_field_behavior = .use_last,
    });
}

/// Decodes a JSON string; null for another value.
pub fn string(text: ?[]const u8) ?[]const u8 {
    const value = parse(text orelse return null) catch return null;
    return if (value == .string) value.string else null;
}

/// Writes a text as a JSON string.
pub fn writeString(to: *Writer, text: []const u8) !void {
    try to.writeByte('"');
    for (text) |byte| switch (byte) {
        '"', '\\' => try to.writeAll(&.{ '\\', byte }),
        8, 9, 10, 12, 13 => try to.writeAll(&.{ '\\', "btn_fr"[byte - 8] }),
        0...7, 11, 14...31 => try to.print("\\u{x:0>4}", .{byte}),
        else => try to.writeByte(byte),
    };
    try to.writeByte('"');
}

/// Writes a value in the one form that all SDKs write: no blanks, keys sorted, nothing escaped without need.
pub fn write(to: *Writer, value: Value) !void {
    switch (value) {
        .object => |object| {
            try to.writeByte('{');
            for (try sortedKeys(object), 0..) |key, i| {
                if (i > 0) try to.writeByte(',');
                try writeString(to, key);
                try to.writeByte(':');
                try write(to, object.get(key).?);
            }
            try to.writeByte('}');
        },
        .array => |array| {
            try to.writeByte('[');
            for (array.items, 0..) |item, i| {
                if (i > 0) try to.writeByte(',');
                try write(to, item);
            }
            try to.writeByte(']');
        },
        .string => |text| try writeString(to, text),
        .number_string => |text| try writeNumber(to, text),
        .bool => |is| try to.writeAll(if (is) "true" else "false"),
        else => try to.writeAll("null"),
    }
}

fn sortedKeys(object: Object) ![]const []const u8 {
    const keys = try playwarden.memory().dupe([]const u8, object.keys());
    std.mem.sort([]const u8, keys, {}, struct {
        fn isBefore(_: void, a: []const u8, b: []const u8) bool {
            return std.mem.order(u8, a, b) == .lt;
        }
    }.isBefore);
    return keys;
}

fn writeNumber(to: *Writer, text: []const u8) !void {
    // Whole numbers of 64 bits stay what they are.
    const is_signed = if (std.fmt.parseInt(i64, text, 10)) |_| true else |_| false;
    const is_unsigned = if (std.fmt.parseInt(u64, text, 10)) |_| true else |_| false;
    if ((is_signed or is_unsigned) and !std.mem.eql(u8, text, "-0")) return to.writeAll(text);

    const number = try std.fmt.parseFloat(f64, text);
    const scientific = try playwarden.format("{e}", .{number});
    const mantissa, const power = std.mem.cut(u8, scientific, "e").?;
    const exponent = try std.fmt.parseInt(i32, power, 10);
    if (exponent < -5 or exponent > 15)
        return to.print("{s}e{s}{d}", .{ mantissa, if (exponent > 0) "+" else "", exponent });
    const plain = try playwarden.format("{d}", .{number});
    try to.print("{s}{s}", .{ plain, if (std.mem.findScalar(u8, plain, '.') == null) ".0" else "" });
}

// ---- Configuration: `config` of the plugin in runner.toml.

pub const Severity = enum(u8) { warning, @"error" };

pub const Problem = struct { severity: Severity, pointer: []const u8, message: []const u8 };

pub const Problems = struct {
    list: std.ArrayList(Problem) = .empty,

    /// Tells a problem. The pointer is `/max-failed` for that key and "" for the whole.
    pub fn add(
        problems: *Problems,
        severity: Severity,
        pointer: []const u8,
        comptime template: []const u8,
        values: anytype,
    ) !void {
        const message = try playwarden.format(template, values);
        const problem: Problem = .{ .severity = severity, .pointer = pointer, .message = message };
        try problems.list.append(playwarden.memory(), problem);
    }
};

/// Reads a configuration into a struct; returns all that is wrong with it.
pub fn readConfig(config: anytype, text: []const u8) Problems {
    var problems: Problems = .{};
    readFields(config, text, &problems) catch |err| {
        problems.add(.@"error", "", "must be a table: {s}", .{@errorName(err)}) catch @panic("out of memory");
    };
    return problems;
}

fn readFields(config: anytype, text: []const u8, problems: *Problems) !void {
    const Config = @TypeOf(config.*);
    const fields = @typeInfo(Config).@"struct";
    const value = try parse(text);
    if (value != .object) return error.NoTable;
    const keys = try sortedKeys(value.object);
    const known = comptime keysOf(fields.field_names);
    for (keys) |key| {
        for (known) |name| {
            if (std.mem.eql(u8, key, name)) break;
        } else try tellUnknown(problems, key, known);
    }
    for (keys) |key| {
        inline for (fields.field_names, fields.field_types, known) |field, T, name| {
            if (std.mem.eql(u8, key, name)) {
                if (try read(T, value.object.get(key).?, "/" ++ name, problems)) |found| @field(config, field) = found;
            }
        }
    }
    if (problems.list.items.len == 0 and @hasDecl(Config, "problems")) try config.problems(problems);
}

fn keysOf(comptime fields: []const [:0]const u8) [fields.len][]const u8 {
    var keys: [fields.len][]const u8 = undefined;
    for (&keys, fields) |*key, field| key.* = keyOf(field);
    return keys;
}

fn keyOf(comptime field: []const u8) []const u8 {
    var key: [field.len]u8 = undefined;
    for (&key, field) |*to, letter| to.* = if (letter == '_') '-' else letter;
    const found = key;
    return &found;
}

/// Reads one value; null, and a problem, where it is of another type.
fn read(comptime T: type, value: Value, pointer: []const u8, problems: *Problems) !?T {
    switch (@typeInfo(T)) {
        .optional => |optional| {
            if (value == .null) return @as(?T, @as(T, null));
            const found = try read(optional.child, value, pointer, problems);
            return if (found) |inner| @as(T, inner) else null;
        },
        .int => {
            if (value != .number_string or std.mem.findAny(u8, value.number_string, ".eE") != null)
                return wrong(T, "type", value, "u32", pointer, problems);
            return std.fmt.parseInt(u32, value.number_string, 10) catch
                return wrong(T, "value", value, "u32", pointer, problems);
        },
        .float => {
            if (value != .number_string) return wrong(T, "type", value, "f64", pointer, problems);
            return try std.fmt.parseFloat(f64, value.number_string);
        },
        .bool => return if (value == .bool) value.bool else wrong(T, "type", value, "a boolean", pointer, problems),
        .pointer => {
            if (T == []const []const u8) return readList(value, pointer, problems);
            if (value != .string) return wrong(T, "type", value, "a string", pointer, problems);
            return try playwarden.keep(value.string);
        },
        .@"enum" => |words| {
            if (value != .string) return wrong(T, "type", value, "string or map", pointer, problems);
            const names = comptime keysOf(words.field_names);
            inline for (names, words.field_values) |name, number| {
                if (std.mem.eql(u8, name, value.string)) return @as(T, @fromBackingInt(number));
            }
            const all = try std.mem.join(playwarden.memory(), "`, `", &names);
            try problems.add(.@"error", pointer, "`{s}` is not one of `{s}`", .{ value.string, all });
            return null;
        },
        else => @compileError("a configuration has no fields of type " ++ @typeName(T)),
    }
}

fn readList(value: Value, pointer: []const u8, problems: *Problems) !?[]const []const u8 {
    const List = []const []const u8;
    if (value != .array) return wrong(List, "type", value, "a sequence", pointer, problems);
    const list = try playwarden.memory().alloc([]const u8, value.array.items.len);
    for (list, value.array.items, 0..) |*text, item, i| {
        const place = try playwarden.format("{s}/{d}", .{ pointer, i });
        text.* = try read([]const u8, item, place, problems) orelse return null;
    }
    return try playwarden.kept.dupe([]const u8, list);
}

fn wrong(
    comptime T: type,
    what: []const u8,
    value: Value,
    expected: []const u8,
    pointer: []const u8,
    problems: *Problems,
) !?T {
    var text: Writer.Allocating = .init(playwarden.memory());
    switch (value) {
        .null => try text.writer.writeAll("null"),
        .bool => |is| try text.writer.print("boolean `{}`", .{is}),
        .string => |string_value| {
            try text.writer.writeAll("string ");
            try writeString(&text.writer, string_value);
        },
        .array => try text.writer.writeAll("sequence"),
        .object => try text.writer.writeAll("map"),
        .number_string => |number| {
            const is_float = std.mem.findAny(u8, number, ".eE") != null;
            try text.writer.print("{s} `{s}`", .{ if (is_float) "floating point" else "integer", number });
        },
        else => unreachable,
    }
    try problems.add(.@"error", pointer, "invalid {s}: {s}, expected {s}", .{ what, text.written(), expected });
    return null;
}

fn tellUnknown(problems: *Problems, key: []const u8, comptime known: anytype) !void {
    const memory = playwarden.memory();
    var pointer: std.ArrayList(u8) = .empty;
    try pointer.append(memory, '/');
    for (key) |letter| switch (letter) {
        '~' => try pointer.appendSlice(memory, "~0"),
        '/' => try pointer.appendSlice(memory, "~1"),
        else => try pointer.append(memory, letter),
    };
    var nearest: []const u8 = "";
    var least: usize = std.math.maxInt(usize);
    for (known) |name| {
        const errors = try distance(key, name);
        if (errors < least or (errors == least and std.mem.order(u8, name, nearest) == .lt)) {
            least = errors;
            nearest = name;
        }
    }
    // A third of the letters wrong is no slip of the pen any more.
    if (known.len > 0 and least * 3 <= @max(key.len, 3))
        return problems.add(.@"error", pointer.items, "unknown key; did you mean `{s}`?", .{nearest});
    const all = try std.mem.join(memory, ", ", &known);
    try problems.add(.@"error", pointer.items, "unknown key; there are {s}", .{all});
}

/// How many letters must be changed, put in or left out to make one word of the other.
fn distance(from: []const u8, to: []const u8) !usize {
    const row = try playwarden.memory().alloc(usize, to.len + 1);
    for (row, 0..) |*cell, j| cell.* = j;
    for (from, 0..) |a, i| {
        var diagonal = row[0];
        row[0] = i + 1;
        for (to, 0..) |b, j| {
            const replaced = diagonal + @intFromBool(a != b);
            diagonal = row[j + 1];
            row[j + 1] = @min(replaced, row[j + 1] + 1, row[j] + 1);
        }
    }
    return row[to.len];
}

/// The JSON Schema of a configuration.
pub fn schemaOf(comptime Config: type) []const u8 {
    const fields = @typeInfo(Config).@"struct";
    var schema: []const u8 = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{";
    for (fields.field_names, fields.field_types, 0..) |name, T, i| {
        schema = schema ++ (if (i > 0) "," else "") ++ "\"" ++ keyOf(name) ++ "\":{" ++ schemaOfType(T) ++ "}";
    }
    return schema ++ "}}";
}

fn schemaOfType(comptime T: type) []const u8 {
    return switch (@typeInfo(T)) {
        .optional => |optional| schemaOfType(optional.child),
        .int => "\"type\":\"integer\",\"minimum\":0,\"maximum\":4294967295",
        .float => "\"type\":\"number\"",
        .bool => "\"type\":\"boolean\"",
        .pointer => if (T == []const []const u8)
            "\"type\":\"array\",\"items\":{\"type\":\"string\"}"
        else
            "\"type\":\"string\"",
        .@"enum" => |words| blk: {
            var list: []const u8 = "\"enum\":[";
            for (words.field_names, 0..) |word, i| list = list ++ (if (i > 0) "," else "") ++ "\"" ++ keyOf(word) ++ "\"";
            break :blk list ++ "]";
        },
        else => @compileError("a configuration has no fields of type " ++ @typeName(T)),
    };
}
