#include "document/master_status.h"

#include <errno.h>

int master_json_get(struct master_link *link, enum status_link_document which, unsigned patience_ms, json_t **ret)
{
        const char *bytes;
        size_t length;

        int r = master_link_get(link, which, patience_ms, &bytes, &length);
        if (r < 0)
                return r;
        json_t *document = json_loadb(bytes, length, 0, NULL);
        if (!document)
                return -EPROTO;
        *ret = document;
        return 0;
}

int master_status_get(struct master_link *link, enum status_link_document which, unsigned patience_ms,
                      json_t **ret_json, struct status *ret)
{
        json_t *document;

        int r = master_json_get(link, which, patience_ms, &document);
        if (r < 0)
                return r;
        r = status_document_read(document, ret);
        if (r < 0)
                json_decref(document);
        else
                *ret_json = document;
        return r;
}
