#include "preload/environment.h"

#include <alloca.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/sys.h"

#define VARIABLE_MAX 48
#define PRELOAD_MAX 4096
#define ENVIRONMENT_MAX 16384 /* variables */

static struct {
        char variables[ATTACH_COUNT][VARIABLE_MAX];
        bool has[ATTACH_COUNT];
        char object[PRELOAD_MAX];      /* the path of this object */
        char preload[2 * PRELOAD_MAX]; /* LD_PRELOAD for a program that is executed */
} saved;

static const char preload_name[] = "LD_PRELOAD=";
static char bind_now[] = "LD_BIND_NOW=1";

/* What follows `prefix` in `text`, or NULL. */
static char *after(char *text, const char *prefix)
{
        while (*prefix != '\0')
                if (*text++ != *prefix++)
                        return NULL;
        return text;
}

static size_t append(char *to, size_t size, size_t length, const char *text)
{
        while (*text != '\0' && length + 1 < size)
                to[length++] = *text++;
        to[length] = '\0';
        return length;
}

static void write_variable(char *to, const char *name, uint64_t value)
{
        char digits[24];
        size_t at = sizeof(digits) - 1;

        digits[at] = '\0';
        do
                digits[--at] = (char)('0' + value % 10);
        while ((value /= 10) > 0);
        size_t length = append(to, VARIABLE_MAX, 0, name);
        length = append(to, VARIABLE_MAX, length, "=");
        append(to, VARIABLE_MAX, length, digits + at);
}

void environment_note(const struct attachment *attachment)
{
        for (enum attach_variable i = 0; i < ATTACH_COUNT; i++) {
                saved.has[i] = attachment->has[i];
                if (saved.has[i])
                        write_variable(saved.variables[i], attach_variable_name(i), attachment->values[i]);
        }
}

void environment_save(char *const *environment, const struct attachment *attachment)
{
        environment_note(attachment);
        for (; *environment; environment++) {
                const char *list = after(*environment, preload_name);
                size_t length = 0;
                while (list && list[length] != '\0' && list[length] != ':' && length + 1 < sizeof(saved.object)) {
                        saved.object[length] = list[length];
                        length++;
                }
        }
}

/* Remove the first path of the list, in place. */
static void drop_first(char *list)
{
        char *rest = list;

        while (*rest != '\0' && *rest != ':')
                rest++;
        if (*rest == ':')
                rest++;
        do
                *list++ = *rest;
        while (*rest++ != '\0');
}

void environment_forget(char **environment)
{
        char **to = environment;

        if (!environment)
                return;
        attach_forget(environment);
        if (saved.object[0] == '\0')
                return;
        for (; *environment; environment++) {
                char *list = after(*environment, preload_name);
                if (list)
                        drop_first(list);
                if (list ? *list != '\0' : !saved.has[ATTACH_BIND_NOW] || !after(*environment, "LD_BIND_NOW="))
                        *to++ = *environment;
        }
        *to = NULL;
}

/* LD_PRELOAD with the object in front of the program's own. */
static void write_preload(const char *others)
{
        size_t length = append(saved.preload, sizeof(saved.preload), 0, preload_name);

        length = append(saved.preload, sizeof(saved.preload), length, saved.object);
        if (others && *others != '\0') {
                length = append(saved.preload, sizeof(saved.preload), length, ":");
                append(saved.preload, sizeof(saved.preload), length, others);
        }
}

size_t environment_room(char *const *environment)
{
        size_t count = 0;

        while (environment && environment[count])
                count++;
        return count + ATTACH_COUNT + 3;
}

void environment_extend(char *const *environment, char **to)
{
        const char *others = NULL;
        size_t length = 0;

        for (; environment && *environment; environment++) {
                const char *list = after(*environment, preload_name);
                if (list)
                        others = list;
                else
                        to[length++] = *environment;
        }
        for (enum attach_variable i = 0; i < ATTACH_COUNT; i++)
                if (saved.has[i])
                        to[length++] = saved.variables[i];
        if (saved.has[ATTACH_BIND_NOW])
                to[length++] = bind_now;
        write_preload(others);
        to[length++] = saved.preload;
        to[length] = NULL;
}

long environment_execute(const char *path, char *const *arguments, char *const *environment, bool is_worker,
                         int (*execute)(const char *, char *const *, char *const *))
{
        size_t room = environment_room(environment);

        if (is_worker && room < ENVIRONMENT_MAX) {
                char **extended = alloca(room * sizeof(*extended));
                environment_extend(environment, extended);
                environment = extended;
        }
        if (!execute)
                return SYS_3(__NR_execve, path, arguments, environment);
        execute(path, arguments, environment);
        return -errno;
}

_Noreturn void environment_exit(void)
{
        exit(0);
}
