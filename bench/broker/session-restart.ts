import { rmSync } from 'node:fs';
import { temporaryFolder } from '../harness/child-server.ts';
import { onAbruptEnd } from '../harness/exit-cleanup.ts';
import { runConnects } from '../harness/mqtt-connect.ts';
import { runLoad } from '../harness/mqtt-load.ts';
import { IS_SHORT } from '../harness/phase.ts';
import { times, whole, type Row } from '../harness/report.ts';
import { startMosquitto, startSelsyn } from '../harness/servers.ts';
import type { Part, Side } from './part.ts';

const SESSIONS = IS_SHORT ? 5_000 : 100_000;
const MESSAGES_EACH = 10;
/** So many of the sessions, spread over all, are asked for what they hold. */
const SAMPLE = IS_SHORT ? 500 : 5_000;
const CLIENT_PREFIX = 'gone-';
const TOPIC_PREFIX = 'gone/';
const TARGET_SECONDS = 10;

interface Measured {
  /** Sessions opened, and messages queued, a second. */
  readonly sessionsPerSecond: number;
  readonly queuedPerSecond: number;
  /** From SIGKILL or SIGTERM to the end of the process. */
  readonly stopSeconds: number;
  /** From the start of the process until the first session has all its messages. */
  readonly restartSeconds: number;
  readonly residentBytes: number;
  readonly lostSessions: number;
  readonly lostMessages: number;
  /** Of the sample: sessions that came back and got all their messages, a second. */
  readonly backPerSecond: number;
}

/**
 * A restart with 100,000 offline sessions that have ten messages each, QoS 1, of distinct topics. Selsyn is killed (-9); mosquitto is asked
 * to stop and writes its database, for it would lose all of it otherwise.
 */
export const sessionRestart: Part = {
  name: 'restart',
  async run({ hasMosquitto }) {
    const selsyn = await measure('selsyn');
    const mosquitto = hasMosquitto ? await measure('mosquitto') : undefined;
    return { rows: rowsOf(selsyn, mosquitto), measured: { sessions: SESSIONS, messagesEach: MESSAGES_EACH, selsyn, mosquitto } };
  },
};

async function measure(side: Side): Promise<Measured> {
  const folder = temporaryFolder();
  const forget = onAbruptEnd(() => rmSync(folder, { recursive: true, force: true }));
  const start = (): ReturnType<typeof startMosquitto> =>
    side === 'selsyn' ? startSelsyn({ folder }) : startMosquitto({ folder, noDelay: true });
  try {
    const filled = await fill(await start(), side);
    const startedMs = performance.now();
    const again = await start();
    await using _again = again.process;
    const session = { port: again.mqttPort, clean: 0, clientPrefix: CLIENT_PREFIX, expect: MESSAGES_EACH } as const;
    await runConnects({ ...session, count: 1 });
    const restartSeconds = (performance.now() - startedMs) / 1000;
    const residentBytes = again.process.residentBytes();
    // The first has its messages already.
    const count = SAMPLE - 1;
    const stride = SESSIONS / SAMPLE;
    const sample = await runConnects({ ...session, count, clients: count, stride, firstId: stride });
    return {
      ...filled,
      restartSeconds,
      residentBytes,
      lostSessions: count - sample.sessionsPresent,
      lostMessages: count * MESSAGES_EACH - sample.messages,
      backPerSecond: sample.perSecond,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
    forget();
  }
}

async function fill(
  { process: server, mqttPort }: Awaited<ReturnType<typeof startMosquitto>>,
  side: Side,
): Promise<Pick<Measured, 'sessionsPerSecond' | 'queuedPerSecond' | 'stopSeconds'>> {
  await using _server = server;
  const port = mqttPort;
  const opened = await runConnects({
    port,
    count: SESSIONS,
    clients: SESSIONS,
    clean: 0,
    clientPrefix: CLIENT_PREFIX,
    subscribe: TOPIC_PREFIX,
  });
  const messages = SESSIONS * MESSAGES_EACH;
  const load = await runLoad({
    port,
    connections: 500,
    qos: 1,
    seconds: 200,
    warmup: 0,
    window: 20,
    messages,
    topicPrefix: TOPIC_PREFIX,
    topics: SESSIONS,
  });
  if (load.acked !== messages) throw new Error(`${load.acked} of ${messages} messages were acknowledged`);
  const stoppedMs = performance.now();
  await server.kill(side === 'selsyn' ? 'SIGKILL' : 'SIGTERM');
  return {
    sessionsPerSecond: opened.perSecond,
    queuedPerSecond: load.acked / load.seconds,
    stopSeconds: (performance.now() - stoppedMs) / 1000,
  };
}

function rowsOf(selsyn: Measured, mosquitto: Measured | undefined): Row[] {
  const what = `restart with ${whole(SESSIONS)} sessions, ${whole(SESSIONS * MESSAGES_EACH)} messages`;
  const pair = (text: (side: Measured) => string): Pick<Row, 'selsyn' | 'peer'> => ({
    selsyn: text(selsyn),
    ...(mosquitto === undefined ? {} : { peer: `mosquitto ${text(mosquitto)}` }),
  });
  const inSeconds = (value: number): string => `${value.toFixed(2)} s`;
  const lost = (side: Measured): string =>
    `${whole(side.lostSessions)} of ${whole(SAMPLE)}, ${whole(side.lostMessages)} messages`;
  return [
    {
      what: `${what}: until the first is served`,
      ...pair(({ restartSeconds }) => inSeconds(restartSeconds)),
      target: `<= ${TARGET_SECONDS} s`,
      ...(mosquitto === undefined ? {} : { ratio: times(mosquitto.restartSeconds, selsyn.restartSeconds) }),
      holds: selsyn.restartSeconds <= TARGET_SECONDS,
    },
    { what: '  stop before it (mosquitto writes its database)', ...pair(({ stopSeconds }) => inSeconds(stopSeconds)) },
    {
      what: '  sessions, messages lost',
      ...pair(lost),
      target: '0',
      holds: selsyn.lostSessions === 0 && selsyn.lostMessages === 0,
    },
    { what: '  resident memory after it', ...pair(({ residentBytes }) => `${whole(residentBytes / 2 ** 20)} MiB`) },
    { what: '  persistent sessions opened a second', ...pair(({ sessionsPerSecond }) => whole(sessionsPerSecond)) },
    { what: '  messages queued for them a second', ...pair(({ queuedPerSecond }) => whole(queuedPerSecond)) },
    { what: '  sessions that come back and get theirs a second', ...pair(({ backPerSecond }) => whole(backPerSecond)) },
  ];
}
