#include "ctl/import.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "ctl/import_files.h"
#include "ctl/output.h"
#include "logic/import/import.h"

/* How an argument of a format becomes files. 0 or -ENOMEM. */
static const struct reader {
        const char *format;
        int (*read)(struct import_files *files, const char *argument);
} readers[] = {
        {"xinetd", import_files_read_xinetd},
        {"inetd", import_files_read},
        {"systemd", import_files_read_systemd},
        {"php-fpm", import_files_read_php_fpm},
};

static enum ctl_exit fail_usage(void)
{
        fputs("preforkctl: expected one of\n", stderr);
        for (size_t i = 0; i < import_format_count; i++)
                fprintf(stderr, "  import %s %s\n", import_formats[i].name, import_formats[i].takes);
        for (size_t i = 0; i < IMPORT_LIST_COUNT; i++)
                fprintf(stderr, "  import %s %s\n", import_list_formats[i].name, import_list_formats[i].takes);
        fputs("or import FORMAT --table.\n", stderr);
        return CTL_EXIT_USAGE;
}

static enum ctl_exit fail(int error)
{
        fprintf(stderr, "preforkctl: %s\n", strerror(-error));
        return CTL_EXIT_FAILURE;
}

static enum ctl_exit print_table(const struct import_format *format)
{
        _cleanup_(text_clear) struct text text = {0};
        int r = import_table(format, &text);

        return r < 0 ? fail(r) : ctl_output(text_string(&text), NULL);
}

/* What a program that is linked to libwrap would ask. */
static int read_surroundings(struct import_files *services, struct import_files *rules, struct import_input *input)
{
        int r = import_files_read_if_there(services, "/etc/services");

        if (r == 0)
                r = import_files_read_if_there(rules, "/etc/hosts.allow");
        if (r == 0)
                r = import_files_read_if_there(rules, "/etc/hosts.deny");
        if (services->count > 0)
                input->services = services->list[0];
        for (size_t i = 0; i < rules->count; i++)
                input->wrapped = input->wrapped || import_has_rules(&rules->list[i]);
        return r;
}

/* Print what was made of the files, and what was not. */
static enum ctl_exit print_result(const struct text *text, const struct import_files *files, bool undecided)
{
        enum ctl_exit printed = ctl_output(text_string(text), NULL);
        _cleanup_(text_clear) struct text problem = {0};

        for (size_t i = 0; i < files->problems.count; i++) {
                text_truncate(&problem);
                if (problem_format(&files->problems.items[i], &problem) == 0)
                        fprintf(stderr, "preforkctl: %s\n", text_string(&problem));
        }
        if (undecided)
                fputs("preforkctl: lines marked with ! are for you to decide\n", stderr);
        return undecided || files->problems.count > 0 ? CTL_EXIT_FAILURE : printed;
}

static enum ctl_exit convert(const struct import_format *format, const struct import_files *files)
{
        _cleanup_(import_files_clear) struct import_files services = {0}, rules = {0};
        _cleanup_(text_clear) struct text text = {0};
        struct import_input input = {.sources = files->list, .count = files->count};
        bool undecided = false;
        int r = read_surroundings(&services, &rules, &input);

        if (r == 0)
                r = import_convert(format, &input, &text, &undecided);
        return r < 0 ? fail(r) : print_result(&text, files, undecided);
}

/* Read one file of a list; without a path the usual one, which may be missing. */
static int read_list(struct import_files *files, const char *path, const char *usual, struct import_source *ret)
{
        int r = path ? import_files_read(files, path) : import_files_read_if_there(files, usual);

        if (r == 0 && files->count > 0)
                *ret = files->list[0];
        return r;
}

/* A list of clients. A file that cannot be read is no empty one: then nothing is printed. */
static enum ctl_exit convert_list(size_t format, char *const *arguments)
{
        static const char *const usual[] = {"/etc/hosts.allow", "/etc/hosts.deny"};
        bool is_hosts = format == IMPORT_LIST_HOSTS_ACCESS, undecided = false;
        _cleanup_(import_files_clear) struct import_files allow = {0}, deny = {0};
        struct import_source sources[2] = {{.name = usual[0], .bytes = ""}, {.name = usual[1], .bytes = ""}};
        _cleanup_(text_clear) struct text text = {0};
        size_t count = 0;

        while (arguments[count])
                count++;
        if (count == 0 || count > (is_hosts ? 3 : 1))
                return fail_usage();
        int r = read_list(&allow, is_hosts && count == 1 ? NULL : arguments[is_hosts], usual[0], &sources[0]);
        if (r == 0 && is_hosts)
                r = read_list(&deny, count > 2 ? arguments[2] : NULL, usual[1], &sources[1]);
        if (r == 0 && allow.problems.count + deny.problems.count == 0)
                r = import_list_convert(format, is_hosts ? arguments[0] : "", sources, 2, &text, &undecided);
        if (r < 0)
                return fail(r);
        return print_result(&text, allow.problems.count > 0 ? &allow : &deny, undecided);
}

/* The arguments are the command line itself. */
static int take_command_line(struct import_files *files, char *const *arguments)
{
        _cleanup_(words_clear) struct words words = {0};
        int r = 0;

        for (size_t i = text_equal(arguments[0], "--") ? 1 : 0; arguments[i] && r == 0; i++)
                r = words_add(&words, arguments[i]);
        return r == 0 ? import_files_take(files, "command line", &words) : r;
}

enum ctl_exit ctl_import_run(char *const *arguments)
{
        _cleanup_(import_files_clear) struct import_files files = {0};
        const struct import_format *format = arguments[0] ? import_format_find(arguments[0]) : NULL;
        int r = 0;

        for (size_t i = 0; i < IMPORT_LIST_COUNT && arguments[0]; i++)
                if (text_equal(import_list_formats[i].name, arguments[0]))
                        return convert_list(i, arguments + 1);
        if (!format || !arguments[1])
                return fail_usage();
        if (text_equal(arguments[1], "--table"))
                return print_table(format);
        if (text_equal(format->name, "tcpserver"))
                r = take_command_line(&files, arguments + 1);
        for (size_t i = 0; i < ELEMENTS(readers); i++)
                for (size_t a = 1; text_equal(readers[i].format, format->name) && arguments[a] && r == 0; a++)
                        r = readers[i].read(&files, arguments[a]);
        return r < 0 ? fail(r) : convert(format, &files);
}
