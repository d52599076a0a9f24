import type { ApiClient } from './client.ts';
import { asObject, number, objects, optionalText, text, type Json } from './json.ts';

export interface Authority {
  readonly id: string;
  /** `own`: of this server; `registered`: somebody else's. */
  readonly kind: string;
  /** `active`, `inactive`, `revoked`. */
  readonly status: string;
  readonly subject: string;
  readonly notAfterMs: number;
  readonly template: string | undefined;
}

export async function fetchAuthorities(client: ApiClient, signal?: AbortSignal): Promise<readonly Authority[]> {
  return objects(asObject(await client.get('/authorities', { signal }), 'authorities'), 'items', authorityFrom);
}

function authorityFrom(source: Json): Authority {
  return {
    id: text(source, 'id'),
    kind: text(source, 'kind'),
    status: text(source, 'status'),
    subject: text(source, 'subject'),
    notAfterMs: number(source, 'notAfterMs'),
    template: optionalText(source, 'template'),
  };
}
