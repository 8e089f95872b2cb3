#include "worker/handler_environment.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/config/peer_variables.h"
#include "logic/config/variables.h"
#include "os/process/program.h"

#define PEER_VARIABLES_MAX 18
#define PEER_VARIABLE_SIZE (PROXY_VALUE_MAX + 24)

struct handler_environment {
        struct words fixed;
        char **vector; /* fixed variables, then the peer's, then NULL */
        size_t peer_count;
        char peer[PEER_VARIABLES_MAX][PEER_VARIABLE_SIZE];
};

static size_t name_length(const char *variable)
{
        return strcspn(variable, "=");
}

/* May a handler see this string of preforkd's environment? execve(2) accepts any strings; one without a name or without
 * a value is not a variable. */
static bool is_passed_on(const char *variable)
{
        size_t length = name_length(variable);

        if (length == 0 || variable[length] != '=')
                return false;
        return !variables_are_withheld(variable) && !peer_variables_contain(variable);
}

/* A variable on its way into the fixed part. Environments can be large: they are sorted, not searched. */
struct candidate {
        const char *variable;
        size_t index; /* the order in which they came: of one name the last counts */
};

static int compare_names(const char *a, const char *b)
{
        size_t length_a = name_length(a), length_b = name_length(b);
        int order = memcmp(a, b, MIN_OF(length_a, length_b));

        return order != 0 ? order : (length_a > length_b) - (length_a < length_b);
}

static int compare(const void *a, const void *b)
{
        const struct candidate *left = a, *right = b;
        int order = compare_names(left->variable, right->variable);

        return order != 0 ? order : (left->index > right->index) - (left->index < right->index);
}

/* Copy the last of each name. 0 or -ENOMEM. */
static int copy_last(struct candidate *candidates, size_t count, struct words *ret)
{
        int r = 0;

        if (count > 0)
                qsort(candidates, count, sizeof(*candidates), compare);
        for (size_t i = 0; i < count && r == 0; i++)
                if (i + 1 == count || compare_names(candidates[i].variable, candidates[i + 1].variable) != 0)
                        r = words_add(ret, candidates[i].variable);
        return r;
}

/* The variables of both lists that count. 0 or -ENOMEM. */
static int join(const struct words *variables, char *const *inherited, struct words *ret)
{
        size_t most = variables->count, count = 0;

        for (char *const *variable = inherited; variable && *variable; variable++)
                most++;
        _cleanup_(freep) struct candidate *candidates = calloc(most + 1, sizeof(*candidates));
        if (!candidates)
                return -ENOMEM;
        for (char *const *variable = inherited; variable && *variable; variable++)
                if (is_passed_on(*variable)) {
                        candidates[count] = (struct candidate){.variable = *variable, .index = count};
                        count++;
                }
        for (size_t i = 0; i < variables->count; i++, count++)
                candidates[count] = (struct candidate){.variable = variables->list[i], .index = count};
        return copy_last(candidates, count, ret);
}

int handler_environment_new(const struct words *variables, char *const *inherited, struct handler_environment **ret)
{
        struct handler_environment *environment = calloc(1, sizeof(*environment));
        int r = environment ? 0 : -ENOMEM;

        if (r == 0)
                r = join(variables, inherited, &environment->fixed);
        if (r == 0) {
                environment->vector = calloc(environment->fixed.count + PEER_VARIABLES_MAX + 1, sizeof(char *));
                r = environment->vector ? 0 : -ENOMEM;
        }
        if (r < 0) {
                handler_environment_free(environment);
                return r;
        }
        for (size_t i = 0; i < environment->fixed.count; i++)
                environment->vector[i] = environment->fixed.list[i];
        *ret = environment;
        return 0;
}

/* Add a variable of the connection, as NAME=VALUE. */
static void add_peer(struct handler_environment *environment, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
static void add_peer(struct handler_environment *environment, const char *format, ...)
{
        char *variable = environment->peer[environment->peer_count];
        va_list arguments;

        va_start(arguments, format);
        /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the line above */
        vsnprintf(variable, PEER_VARIABLE_SIZE, format, arguments);
        va_end(arguments);
        environment->vector[environment->fixed.count + environment->peer_count++] = variable;
}

static void describe_tcp(struct handler_environment *environment, const struct address *peer,
                         const struct address *local)
{
        char host[ADDRESS_TEXT_MAX];

        add_peer(environment, "PROTO=TCP");
        address_format_host(local, host, sizeof(host));
        add_peer(environment, "TCPLOCALIP=%s", host);
        add_peer(environment, "TCPLOCALPORT=%u", address_port(local));
        address_format_host(peer, host, sizeof(host));
        add_peer(environment, "TCPREMOTEIP=%s", host);
        add_peer(environment, "TCPREMOTEPORT=%u", address_port(peer));
        add_peer(environment, "REMOTE_ADDR=%s", host);
        add_peer(environment, "REMOTE_PORT=%u", address_port(peer));
        add_peer(environment, "REMOTE_HOST=%s", host);
}

static void describe_unix(struct handler_environment *environment, const struct address *peer,
                          const struct address *local, int connection)
{
        char path[ADDRESS_TEXT_MAX];
        struct ucred credentials;
        socklen_t length = sizeof(credentials);

        add_peer(environment, "PROTO=UNIX");
        address_format(local, path, sizeof(path));
        add_peer(environment, "UNIXLOCALPATH=%s", path);
        address_format(peer, path, sizeof(path));
        if (path[0] != '\0')
                add_peer(environment, "UNIXREMOTEPATH=%s", path);
        if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
                return;
        add_peer(environment, "UNIXREMOTEPID=%d", credentials.pid);
        add_peer(environment, "UNIXREMOTEEUID=%u", credentials.uid);
        add_peer(environment, "UNIXREMOTEEGID=%u", credentials.gid);
}

static void add_if(struct handler_environment *environment, const char *name, const char *value)
{
        if (value[0] != '\0')
                add_peer(environment, "%s=%s", name, value);
}

/* What a proxy has said, and which. */
static void describe_proxy(struct handler_environment *environment, const struct client *client)
{
        const struct proxy_header *header = &client->header;
        const struct address *proxy = client_socket_peer(client);
        char host[ADDRESS_TEXT_MAX];

        add_peer(environment, "PROXY_VERSION=%u", header->version);
        address_format_host(proxy, host, sizeof(host));
        add_if(environment, "PROXY_ADDR", host);
        if (host[0] != '\0')
                add_peer(environment, "PROXY_PORT=%u", address_port(proxy));
        add_if(environment, "PROXY_AUTHORITY", header->authority);
        add_if(environment, "PROXY_UNIQUE_ID", header->unique_id);
        if (!header->is_ssl)
                return;
        add_peer(environment, "PROXY_SSL=%s", header->ssl_version[0] != '\0' ? header->ssl_version : "unknown");
        add_if(environment, "PROXY_SSL_CIPHER", header->ssl_cipher);
        if (header->is_certified) /* others can call themselves what they like */
                add_if(environment, "PROXY_SSL_NAME", header->ssl_name);
}

char *const *handler_environment_set_peer(struct handler_environment *environment, const struct client *client,
                                          int connection)
{
        struct address local = {.length = sizeof(local.un)};

        environment->peer_count = 0;
        if (client->is_announced)
                describe_tcp(environment, &client->peer, &client->header.target);
        else if (getsockname(connection, &local.any, &local.length) == 0) {
                if (local.any.sa_family == AF_UNIX)
                        describe_unix(environment, &client->peer, &local, connection);
                else
                        describe_tcp(environment, &client->peer, &local);
        }
        if (client->header.version > 0)
                describe_proxy(environment, client);
        environment->vector[environment->fixed.count + environment->peer_count] = NULL;
        return environment->vector;
}

char **handler_environment_fixed(struct handler_environment *environment)
{
        environment->vector[environment->fixed.count] = NULL;
        return environment->vector;
}

const char *handler_environment_get(const struct handler_environment *environment, const char *name)
{
        for (size_t i = 0; i < environment->fixed.count; i++)
                if (variables_same_name(environment->fixed.list[i], name))
                        return environment->fixed.list[i] + name_length(name) + 1;
        return NULL;
}

const char *handler_environment_search_path(const struct handler_environment *environment)
{
        const char *path = handler_environment_get(environment, "PATH");

        return path ? path : PROGRAM_DEFAULT_PATH;
}

void handler_environment_free(struct handler_environment *environment)
{
        if (!environment)
                return;
        words_clear(&environment->fixed);
        free(environment->vector);
        free(environment);
}
