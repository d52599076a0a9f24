import { systemActor } from '../../audit/actor.ts';
import { openSqliteDatabase } from '../../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../../database/migrate.ts';
import type { StateDatabase, StateSchema } from '../../database/schema.ts';
import { STATE_MIGRATIONS } from '../../database/state-migrations.ts';
import { systemClock } from '../../kernel/clock.ts';
import { FakeClock } from '../../kernel/fake-clock.ts';
import { silentLogLines } from '../../kernel/log-lines.ts';
import { Sandbox } from '../../sandbox/sandbox.ts';
import type { OutgoingMessage } from '../../state/outgoing.ts';
import { StateWriter } from '../../state/state-writer.ts';
import { shadowCalls, type ShadowCalls } from '../shadow-calls.ts';
import type { Json, JsonObject, Section } from '../shadow-document.ts';
import { ShadowDomain } from '../shadow-domain.ts';
import { AWS_LIMITS } from '../shadow-rules.ts';
import { ShadowStore } from '../shadow-store.ts';
import type { EdgeAnswer } from './edge-merge.ts';
import type { EdgeReplica } from './edge-replica.fixture.ts';
import type { MergePolicy } from './merge-policy.ts';
import { replicaCalls, type MergeAnswer, type ReplicaCalls } from './replica-calls.ts';
import { ReplicaDomain } from './replica-domain.ts';

export const actor = systemActor('test');
export const KEY = { device: 'pump7', shadow: '' };
export const START_MS = 1_000_000;
const sandbox = new Sandbox({ clock: systemClock, limits: { timeMs: 200 } });

/** The shadows of this server, with one device of the type pump after another. */
export interface Cloud extends AsyncDisposable {
  readonly database: StateDatabase;
  readonly clock: FakeClock;
  readonly shadows: ShadowCalls;
  readonly replicas: ReplicaCalls;
  readonly domain: ReplicaDomain;
  readonly writer: StateWriter;
  readonly published: OutgoingMessage[];
  document(): Promise<{ readonly desired: JsonObject | undefined; readonly reported: JsonObject | undefined }>;
}

export async function openCloud(): Promise<Cloud> {
  const open = openSqliteDatabase<StateSchema>(':memory:');
  const { database } = open;
  await migrate(database, STATE_MIGRATIONS);
  const clock = new FakeClock(START_MS);
  const published: OutgoingMessage[] = [];
  const writer = new StateWriter({
    database,
    clock,
    logLines: silentLogLines,
    outlet: { publish: (messages) => void published.push(...messages), isWatched: () => false, tell: () => {} },
  });
  const devices = {
    find: async (ids: readonly string[]) =>
      new Map(ids.filter((id) => id !== 'unknown').map((id) => [id, { type: 'pump', group: '/' }])),
  };
  const shadows = new ShadowDomain({ database, writer, devices, clock });
  const domain = new ReplicaDomain({ shadows });
  const store = new ShadowStore(database);
  return {
    database,
    clock,
    shadows: shadowCalls(shadows),
    replicas: replicaCalls({ domain, writer, database, devices, sandbox, limits: AWS_LIMITS }),
    domain,
    writer,
    published,
    async document() {
      const found = await store.find(KEY);
      return { desired: found?.desired, reported: found?.reported };
    },
    async [Symbol.asyncDispose]() {
      await writer[Symbol.asyncDispose]();
      shadows[Symbol.dispose]();
      await open[Symbol.asyncDispose]();
    },
  };
}

export function answerOf({ document }: MergeAnswer): EdgeAnswer {
  const { version, createdAtMs, clock = {}, desired, reported, stamps } = document;
  return {
    version,
    createdAtMs,
    clock,
    state: { desired, reported },
    stamps: { desired: stamps.desired, reported: stamps.reported },
  };
}

export async function sync(cloud: Cloud, edge: EdgeReplica, policy: MergePolicy = 'last-write'): Promise<MergeAnswer> {
  const answer = await cloud.replicas.mergeShadow({ ...KEY, report: edge.report(), actor });
  edge.take(answerOf(answer), policy);
  return answer;
}

export async function update(cloud: Cloud, section: Section, path: readonly string[], value: Json): Promise<void> {
  const patch = path.reduceRight<Json>((inner, key) => ({ [key]: inner }), value) as JsonObject;
  await cloud.shadows.updateShadow({ ...KEY, actor, patch: { [section]: patch } });
}
