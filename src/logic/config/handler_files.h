/* The files that a handler is made of, as they were when the configuration was read: its program, the interpreter of a
 * script, and files among its arguments. Pure.
 *
 * The child that reads a configuration notes them (master/config/program_files), the canonical form carries them, and
 * the reload diff compares. They are options of nobody: users cannot set them. So the files of a generation are noted
 * before it begins, never after: one that is replaced in between is noticed by the next reload. A program that takes
 * over in an upgrade gets them with the configuration, and has not looked again: what was replaced before is noticed
 * after it. (So a template that it has started of the new file is rolled once more than needed, and never once less.)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text;

/* What tells a file from another one, and from itself after a change. */
struct file_id {
        uint64_t device, inode, size;
        uint64_t modified_ns, changed_ns;
};

struct handler_file {
        char *name; /* for people: with `root_directory` in front; one line */
        struct file_id id;
};

/* Zero-initialise; empty: nothing is known, or nobody keeps the handler. */
struct handler_files {
        struct handler_file *items;
        size_t count;
};

/* Add a file, unless there is one of that name. 0 or -ENOMEM. */
int handler_files_add(struct handler_files *files, const char *name, const struct file_id *id);

/* True if that file is not one of `before`, or was another then. False if nothing is known of before. */
bool handler_files_differ(const struct handler_files *before, const struct handler_file *now);

/* As words, for the canonical form, and read back. 0; -EINVAL: these are none (*ret is left alone); -ENOMEM. */
int handler_files_print(const struct handler_files *files, struct text *text);
int handler_files_parse(const char *string, struct handler_files *ret);

void handler_files_clear(struct handler_files *files);
