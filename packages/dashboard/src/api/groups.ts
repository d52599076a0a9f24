import type { ApiClient } from './client.ts';
import { asObject, number, text, type Json } from './json.ts';
import { pageOf, type Page } from './page.ts';

export interface Group {
  readonly path: string;
  /** In the group and everywhere below it. */
  readonly devicesBelow: number;
  /** Groups right below it. */
  readonly groups: number;
}

/** The groups right below one; who may see only nodes further below gets those. */
export async function fetchGroups(
  client: ApiClient,
  parent: string,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Page<Group>> {
  return pageOf(await client.get('/groups', { query: { parent, cursor, limit: 200 }, signal }), 'groups', groupFrom);
}

export async function fetchGroup(client: ApiClient, path: string, signal?: AbortSignal): Promise<Group> {
  return groupFrom(asObject(await client.get(`/groups/${encodeURIComponent(path)}`, { signal }), 'group'));
}

function groupFrom(source: Json): Group {
  return { path: text(source, 'path'), devicesBelow: number(source, 'devicesBelow'), groups: number(source, 'groups') };
}
