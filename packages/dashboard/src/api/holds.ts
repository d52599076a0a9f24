import type { ApiClient } from './client.ts';
import { asObject, number, optionalNumber, optionalText, text, type Json } from './json.ts';
import { pageOf, type Page } from './page.ts';

/** What is covered stays, whatever its age, whoever asks. */
export interface LegalHold {
  readonly id: string;
  readonly kind: HoldKind;
  /** Of the device, group or type. */
  readonly name: string;
  readonly reason: string;
  readonly createdAtMs: number;
  readonly createdBy: string;
  /** Absent while it is in force. */
  readonly releasedAtMs: number | undefined;
  readonly releasedBy: string | undefined;
}

/** By kind, the field that names what is held. */
const NAMED_BY = { device: 'device', group: 'group', type: 'deviceType' } as const;
export type HoldKind = keyof typeof NAMED_BY;

export async function fetchHolds(
  client: ApiClient,
  state: 'in-force' | 'released' | undefined,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Page<LegalHold>> {
  return pageOf(await client.get('/holds', { query: { state, cursor, limit: 50 }, signal }), 'holds', holdFrom);
}

export async function createHold(
  client: ApiClient,
  { kind, name, reason }: Pick<LegalHold, 'kind' | 'name' | 'reason'>,
): Promise<void> {
  await client.post('/holds', { target: { kind, [NAMED_BY[kind]]: name }, reason });
}

export async function releaseHold(client: ApiClient, id: string): Promise<void> {
  await client.delete(`/holds/${encodeURIComponent(id)}`);
}

function holdFrom(source: Json): LegalHold {
  const target = asObject(source['target'], 'target');
  const given = text(target, 'kind');
  const kind = given === 'group' || given === 'type' ? given : 'device';
  return {
    id: text(source, 'id'),
    kind,
    name: text(target, NAMED_BY[kind]),
    reason: text(source, 'reason'),
    createdAtMs: number(source, 'createdAtMs'),
    createdBy: text(source, 'createdBy'),
    releasedAtMs: optionalNumber(source, 'releasedAtMs'),
    releasedBy: optionalText(source, 'releasedBy'),
  };
}
