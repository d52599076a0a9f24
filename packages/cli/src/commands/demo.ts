import type { Command } from 'commander';
import { ApiClient, type DeviceItem, type Page } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { DEMO_TYPES } from '../demo/signals.ts';
import { VirtualDevice } from '../demo/virtual-device.ts';
import { findServer, type AddressOptions, type ServerAddress } from '../server-address.ts';
import { counted } from '../table.ts';

interface DemoOptions extends AddressOptions {
  readonly devices: string;
  readonly rate: string;
  readonly history: string;
  readonly mqtt?: string;
  readonly seconds?: string;
  readonly remove?: boolean;
}

const DEMO_TAG = 'demo';
const AT_ONCE = 32;

/** `selsyn demo`: virtual devices over real MQTT, and their removal. */
export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .description('run virtual devices of three types over real MQTT; Ctrl-C stops them, --remove takes them away')
    .option('--devices <n>', 'how many devices', '50')
    .option('--rate <r>', 'messages a second from each', '1')
    .option('--history <minutes>', 'minutes of past that each device sends first, so that charts are not empty', '60')
    .option('--mqtt <url>', 'the MQTT listener, as mqtt://127.0.0.1:1883')
    .option('--seconds <s>', 'stop by itself after so many seconds')
    .option('--remove', 'remove every device of the demo, with its telemetry')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<DemoOptions>();
      const server = findServer(options);
      const client = new ApiClient(server);
      if (options.remove === true) await removeDemo(client);
      else await runDemo(client, server, options);
    });
}

async function removeDemo(client: ApiClient): Promise<void> {
  const ids: string[] = [];
  for await (const { id } of client.pages<DeviceItem>('/devices', { tag: DEMO_TAG, limit: 1000 })) ids.push(id);
  await eachAtOnce(ids, async (id) => await client.delete(`/devices/${id}`));
  say(ids.length === 0 ? 'there is no demo device' : `removed ${counted(ids.length, 'demo device')} and their telemetry`);
}

async function runDemo(client: ApiClient, server: ServerAddress, options: DemoOptions): Promise<void> {
  const count = positive(options.devices, '--devices');
  if (!Number.isInteger(count)) throw new CliError(`--devices must be a whole number, not "${options.devices}"`);
  const messagesPerSecond = positive(options.rate, '--rate');
  const historyMs = Number(options.history) * 60_000;
  if (!(historyMs >= 0)) throw new CliError('--history must be a number of minutes, 0 or more');
  const stop = stopSignal(options.seconds);

  let acknowledged = 0;
  let ready = 0;
  const devices: VirtualDevice[] = [];
  say(`adding ${counted(count, 'device')} (weather stations, pumps, vehicle trackers)`);
  try {
    await eachAtOnce([...Array(count).keys()], async (index) => {
      if (stop.aborted) return;
      const type = DEMO_TYPES[index % DEMO_TYPES.length] ?? DEMO_TYPES[0];
      if (type === undefined) return;
      const number = Math.floor(index / DEMO_TYPES.length) + 1;
      const id = `demo-${type.name}-${String(number).padStart(String(count).length, '0')}`;
      const token = await addDevice(client, id, `${type.label} ${number}`);
      const device = new VirtualDevice({
        id,
        token,
        mqttUrl: options.mqtt ?? server.mqttUrl,
        signal: type.signal(index + 1),
        messagesPerSecond,
        onAcknowledged: () => (acknowledged += 1),
      });
      devices.push(device);
      await device.start();
      if (historyMs > 0) await device.publishHistory(historyMs);
      device.run((1000 / messagesPerSecond) * (index / count));
      ready += 1;
    });
    say(
      `${counted(ready, 'device')}, each publishing ${counted(messagesPerSecond, 'message')} a second; see ${server.url}/ (Ctrl-C stops them, "npx selsyn demo --remove" takes them away)`,
    );
    while (!stop.aborted) {
      const before = acknowledged;
      await pause(5000, stop);
      if (stop.aborted) break;
      const away = devices.filter((device) => !device.connected);
      const state = away.length === 0 ? '' : `; ${away.length} of ${devices.length} not connected: ${away[0]?.problem}`;
      say(`${acknowledged.toLocaleString('en-US')} messages acknowledged, ${Math.round((acknowledged - before) / 5)}/s${state}`);
      if (away.length === devices.length && (await areGone(client))) {
        throw new CliError('the devices of the demo were removed: it ends');
      }
    }
  } finally {
    await Promise.all(devices.map(async (device) => await device.stop()));
  }
  say(`stopped after ${acknowledged.toLocaleString('en-US')} messages; "npx selsyn demo --remove" takes the devices away`);
}

/** A device that an earlier demo left gets a new token. One that is not the demo's is not touched. */
async function addDevice(client: ApiClient, id: string, name: string): Promise<string> {
  try {
    return (await client.post<{ token: string }>('/devices', { id, name, tags: [DEMO_TAG] })).token;
  } catch (error) {
    if (!(error instanceof CliError) || !error.message.includes('device.exists')) throw error;
    const existing = await client.get<DeviceItem>(`/devices/${id}`);
    if (!existing.tags.includes(DEMO_TAG))
      throw new CliError(`there is a device ${id} that the demo did not make: it is left alone`);
    return (await client.post<{ token: string }>(`/devices/${id}/token`)).token;
  }
}

/** While the server cannot be asked the demo goes on: its devices connect again once it is back. */
async function areGone(client: ApiClient): Promise<boolean> {
  try {
    return (await client.get<Page<DeviceItem>>('/devices', { tag: DEMO_TAG, limit: 1 })).items.length === 0;
  } catch (error) {
    if (error instanceof CliError) return false;
    throw error;
  }
}

async function eachAtOnce<T>(items: readonly T[], task: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: Math.min(AT_ONCE, items.length) }, async () => {
      for (const item of queue) await task(item);
    }),
  );
}

function stopSignal(seconds: string | undefined): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  if (seconds !== undefined) setTimeout(() => stop.abort(), positive(seconds, '--seconds') * 1000).unref();
  return stop.signal;
}

async function pause(ms: number, stop: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    stop.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}

function positive(text: string, option: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new CliError(`${option} must be a positive number, not "${text}"`);
  return value;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
