import { setTimeout as pause } from 'node:timers/promises';
import type { ChildServer } from '../harness/child-server.ts';
import { holdConnects, runConnects } from '../harness/mqtt-connect.ts';
import { IS_SHORT } from '../harness/phase.ts';
import { times, whole, type Row } from '../harness/report.ts';
import { startMosquitto, startSelsyn } from '../harness/servers.ts';
import { settingsOf } from './connect-rates.ts';
import type { Part, PartContext, Side } from './part.ts';

const COUNTS = IS_SHORT ? { plain: 2_000, tls: 500, offline: 4_000 } : { plain: 10_000, tls: 2_500, offline: 20_000 };
const SETTLE_MS = { before: IS_SHORT ? 1_000 : 2_000, after: IS_SHORT ? 1_500 : 6_000 };
const SAMPLE = 200;

interface Broker {
  readonly process: ChildServer;
  readonly mqttPort: number;
  readonly tlsPort: number;
}

interface Kind {
  readonly what: string;
  readonly count: number;
  /** Bytes; otherwise the peer's are the target. */
  readonly target?: number;
  readonly needsTls?: true;
  /** Brings the broker to have `count` of them; what it returns keeps them so. */
  fill(server: Broker): Promise<Disposable>;
  /** How many of a sample are really there, where that can be seen from outside. */
  check?(server: Broker): Promise<number>;
}

const KINDS: readonly Kind[] = [
  {
    what: 'idle connection, plain',
    count: COUNTS.plain,
    target: 6 * 1024,
    fill: ({ mqttPort }) => holdConnects({ port: mqttPort, count: COUNTS.plain }),
  },
  {
    what: 'idle connection, TLS 1.3',
    count: COUNTS.tls,
    needsTls: true,
    fill: ({ tlsPort }) => holdConnects({ port: tlsPort, tls: 13, count: COUNTS.tls }),
  },
  {
    what: 'persistent session with one subscription, offline',
    count: COUNTS.offline,
    async fill({ mqttPort }) {
      const count = COUNTS.offline;
      await runConnects({ port: mqttPort, count, clients: count, clean: 0, clientPrefix: 'kept-', subscribe: 'kept/' });
      return { [Symbol.dispose]: () => undefined };
    },
    async check({ mqttPort }) {
      const sample = { count: SAMPLE, clients: SAMPLE, stride: COUNTS.offline / SAMPLE };
      return (await runConnects({ port: mqttPort, ...sample, clean: 0, clientPrefix: 'kept-' })).sessionsPresent;
    },
  },
];

interface Measured {
  readonly beforeBytes: number;
  readonly afterBytes: number;
  readonly bytesEach: number;
  readonly present: number | undefined;
}

/**
 * What the resident memory of the server's process grows by, divided by the number of connections or sessions. It is taken
 * from a server that has just started, so all that the first ones cause to be loaded or compiled is in it; what the kernel keeps for
 * sockets is not.
 */
export const memoryEach: Part = {
  name: 'memory',
  async run(context) {
    const kinds = KINDS.filter(({ needsTls }) => needsTls === undefined || context.certificates !== undefined);
    const rows: Row[] = [];
    const measured: unknown[] = [];
    for (const kind of kinds) {
      const selsyn = await measure('selsyn', kind, context);
      const mosquitto = context.hasMosquitto ? await measure('mosquitto', kind, context) : undefined;
      rows.push(rowOf(kind, selsyn, mosquitto));
      measured.push({ what: kind.what, count: kind.count, selsyn, mosquitto });
    }
    return { rows, measured };
  },
};

function rowOf({ what, count, target }: Kind, ours: Measured, theirs: Measured | undefined): Row {
  const isThere = ours.present === undefined || ours.present === SAMPLE;
  const row = {
    what: `bytes of each ${what} (${whole(count)})`,
    selsyn: whole(ours.bytesEach) + missing(ours),
  };
  const aim = target ?? theirs?.bytesEach;
  return {
    ...row,
    target: target === undefined ? 'the peer’s' : `<= ${whole(target)}`,
    ...(theirs === undefined
      ? {}
      : { peer: `mosquitto ${whole(theirs.bytesEach)}${missing(theirs)}`, ratio: times(theirs.bytesEach, ours.bytesEach) }),
    holds: isThere && (aim === undefined || ours.bytesEach <= aim),
  };
}

function missing({ present }: Measured): string {
  return present === undefined || present === SAMPLE ? '' : `, ONLY ${present} OF ${SAMPLE} ARE THERE`;
}

async function measure(side: Side, kind: Kind, { certificates }: PartContext): Promise<Measured> {
  const server =
    side === 'selsyn'
      ? await startSelsyn({ settings: settingsOf(certificates, false) })
      : await startMosquitto(certificates === undefined ? {} : { noDelay: true, certificates });
  await using _server = server.process;
  await pause(SETTLE_MS.before);
  const beforeBytes = server.process.residentBytes();
  let afterBytes: number;
  {
    using _filled = await kind.fill(server);
    await pause(SETTLE_MS.after);
    afterBytes = server.process.residentBytes();
  }
  const bytesEach = (afterBytes - beforeBytes) / kind.count;
  return { beforeBytes, afterBytes, bytesEach, present: await kind.check?.(server) };
}
