import type { ApiClient } from './client.ts';
import { asObject, number, optionalText, text, type Json } from './json.ts';
import { pageOf, type Page } from './page.ts';

/** What is desired of the devices of a group or a type, where nothing nearer to them says something else. */
export interface ShadowDefault {
  /** `group:/path` or `type:name`. */
  readonly target: string;
  /** Empty: the classic one. */
  readonly shadow: string;
  readonly desired: Json;
  readonly version: number;
  readonly updatedAtMs: number;
}

const PAGE_SIZE = 50;

export async function fetchShadowDefaults(
  client: ApiClient,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Page<ShadowDefault>> {
  return pageOf(await client.get('/shadow-defaults', { query: { cursor, limit: PAGE_SIZE }, signal }), 'defaults', defaultFrom);
}

/** @param draft `expectedVersion` 0: only where there is none. @throws Problem `shadow-default.conflict` where it has another version by now. */
export async function putShadowDefault(
  client: ApiClient,
  draft: Pick<ShadowDefault, 'target' | 'shadow' | 'desired'> & { readonly expectedVersion: number },
): Promise<void> {
  const { shadow, ...others } = draft;
  await client.send('PUT', '/shadow-defaults', { body: { ...others, ...(shadow !== '' && { shadow }) } });
}

export async function removeShadowDefault(
  client: ApiClient,
  { target, shadow }: Pick<ShadowDefault, 'target' | 'shadow'>,
): Promise<void> {
  await client.send('DELETE', '/shadow-defaults', { query: { target, ...(shadow !== '' && { shadow }) } });
}

function defaultFrom(source: Json): ShadowDefault {
  return {
    target: text(source, 'target'),
    shadow: optionalText(source, 'shadow') ?? '',
    desired: asObject(source['desired'], 'desired'),
    version: number(source, 'version'),
    updatedAtMs: number(source, 'updatedAtMs'),
  };
}
