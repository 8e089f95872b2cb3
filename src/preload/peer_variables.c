#include "preload/peer_variables.h"

#include "lib/host_text.h"
#include "lib/sys.h"

#define VARIABLES_MAX 18
#define VARIABLE_SIZE (PROXY_VALUE_MAX + 24)

static struct {
        char **vector; /* the program's variables, those of the peer, NULL */
        size_t fixed_count, count;
        char text[VARIABLES_MAX][VARIABLE_SIZE];
} variables;

int peer_variables_begin(char *const *environment)
{
        size_t count = 0;

        while (environment && environment[count])
                count++;
        size_t bytes = (count + VARIABLES_MAX + 1) * sizeof(*environment);
        long r = SYS_6(__NR_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (r < 0 && r > -4096)
                return (int)r;
        __builtin_memcpy(&variables.vector, &r, sizeof(r));
        for (size_t i = 0; i < count; i++)
                variables.vector[i] = environment[i];
        variables.fixed_count = count;
        return 0;
}

/* Begin one: NAME=. */
static struct line add(const char *name)
{
        char *text = variables.text[variables.count];
        struct line line = line_begin(text, VARIABLE_SIZE);

        variables.vector[variables.fixed_count + variables.count++] = text;
        line_add(&line, name);
        return line;
}

static void add_text(const char *name, const char *value)
{
        struct line line = add(name);

        line_add(&line, value);
}

static void add_number(const char *name, uint64_t value)
{
        struct line line = add(name);

        line_add_number(&line, value);
}

static void describe_tcp(const struct address *peer, const struct address *local, int connection)
{
        char host[ADDRESS_TEXT_MAX];
        struct line text = line_begin(host, sizeof(host));

        add_text("PROTO=", "TCP");
        host_text_add(&text, local, connection);
        add_text("TCPLOCALIP=", host);
        add_number("TCPLOCALPORT=", host_text_port(local));
        text = line_begin(host, sizeof(host));
        host_text_add(&text, peer, connection);
        add_text("TCPREMOTEIP=", host);
        add_number("TCPREMOTEPORT=", host_text_port(peer));
        add_text("REMOTE_ADDR=", host);
        add_number("REMOTE_PORT=", host_text_port(peer));
        add_text("REMOTE_HOST=", host);
}

static void describe_unix(const struct address *peer, const struct address *local, int connection)
{
        struct ucred credentials = {0};
        socklen_t length = sizeof(credentials);
        struct line line;

        add_text("PROTO=", "UNIX");
        line = add("UNIXLOCALPATH=");
        host_text_add_path(&line, local);
        line = add("UNIXREMOTEPATH=");
        size_t before = line.length;
        host_text_add_path(&line, peer);
        if (line.length == before)
                variables.count--;
        if (SYS_5(__NR_getsockopt, connection, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
                return;
        add_number("UNIXREMOTEPID=", (uint64_t)credentials.pid);
        add_number("UNIXREMOTEEUID=", credentials.uid);
        add_number("UNIXREMOTEEGID=", credentials.gid);
}

static void add_if(const char *name, const char *value)
{
        if (value[0] != '\0')
                add_text(name, value);
}

/* What a proxy has said, and which. */
static void describe_proxy(const struct client *client, int connection)
{
        const struct proxy_header *header = &client->header;
        const struct address *proxy = client_socket_peer(client);
        char host[ADDRESS_TEXT_MAX];
        struct line text = line_begin(host, sizeof(host));

        add_number("PROXY_VERSION=", header->version);
        host_text_add(&text, proxy, connection);
        add_if("PROXY_ADDR=", host);
        if (host[0] != '\0')
                add_number("PROXY_PORT=", host_text_port(proxy));
        add_if("PROXY_AUTHORITY=", header->authority);
        add_if("PROXY_UNIQUE_ID=", header->unique_id);
        if (!header->is_ssl)
                return;
        add_text("PROXY_SSL=", header->ssl_version[0] != '\0' ? header->ssl_version : "unknown");
        add_if("PROXY_SSL_CIPHER=", header->ssl_cipher);
        if (header->is_certified) /* others can call themselves what they like */
                add_if("PROXY_SSL_NAME=", header->ssl_name);
}

char **peer_variables_set(const struct client *client, int connection)
{
        struct address local = {.length = sizeof(local.un)};

        variables.count = 0;
        if (client->is_announced)
                describe_tcp(&client->peer, &client->header.target, connection);
        else if (SYS_3(__NR_getsockname, connection, &local.any, &local.length) == 0) {
                if (local.any.sa_family == AF_UNIX)
                        describe_unix(&client->peer, &local, connection);
                else
                        describe_tcp(&client->peer, &local, connection);
        }
        if (client->header.version > 0)
                describe_proxy(client, connection);
        variables.vector[variables.fixed_count + variables.count] = NULL;
        return variables.vector;
}
