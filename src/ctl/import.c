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

static enum ctl_exit convert(const struct import_format *format, const struct import_files *files)
{
        _cleanup_(import_files_clear) struct import_files services = {0}, rules = {0};
        _cleanup_(text_clear) struct text text = {0}, problem = {0};
        struct import_input input = {.sources = files->list, .count = files->count};
        bool undecided = false;
        int r = read_surroundings(&services, &rules, &input);

        if (r == 0)
                r = import_convert(format, &input, &text, &undecided);
        if (r < 0)
                return fail(r);
        enum ctl_exit printed = ctl_output(text_string(&text), NULL);
        for (size_t i = 0; i < files->problems.count; i++) {
                text_truncate(&problem);
                if (problem_format(&files->problems.items[i], &problem) == 0)
                        fprintf(stderr, "preforkctl: %s\n", text_string(&problem));
        }
        if (undecided)
                fputs("preforkctl: lines marked with ! are for you to decide\n", stderr);
        return undecided || files->problems.count > 0 ? CTL_EXIT_FAILURE : printed;
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
