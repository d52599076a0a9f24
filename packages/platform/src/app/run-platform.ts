import { isAbsolute, relative, sep } from 'node:path';
import { loadConfig, type ConfigSources } from './config.ts';
import { startPlatform, type Platform } from './platform.ts';

const STOP_DEADLINE_MS = 25_000;
/** The folder in which the commands look for the server by themselves. */
const DEFAULT_DATA = 'data';

/**
 * Runs the platform in this process until SIGINT or SIGTERM; a second one ends it at once. SIGHUP has certificates read again.
 * The exit code is 0 after a signal and 1 when a thread failed.
 *
 * @throws SelsynError what the configuration or the start failed with
 */
export async function runPlatform(sources: ConfigSources): Promise<void> {
  const { config, unknownVariables } = loadConfig(sources);
  for (const variable of unknownVariables) process.stderr.write(`selsyn: there is no setting for ${variable}: it is ignored\n`);
  // From here on: a signal that comes while it starts stops it once it has.
  const signalled = signal();
  const platform = await startPlatform(config);
  if (!onTerminal()) process.on('SIGHUP', () => void platform.reloadTls());
  process.stdout.write(banner(platform, { open: config.access.mode === 'open', data: config.data }));

  const stopped = await Promise.race([signalled, platform.failed]);
  if (stopped instanceof Error) process.stderr.write(`selsyn: stops because of a fault: ${stopped.stack ?? stopped.message}\n`);
  else process.stdout.write('stopping (again to end at once)\n');
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => process.exit(1));
  const tooLong = setTimeout(() => {
    process.stderr.write('selsyn: it did not stop in time: ended. What was acknowledged is in the log.\n');
    process.exit(1);
  }, STOP_DEADLINE_MS);
  await platform[Symbol.asyncDispose]();
  clearTimeout(tooLong);
  if (stopped instanceof Error) process.exit(1);
  process.stdout.write('stopped\n');
  process.exit(0);
}

async function signal(): Promise<NodeJS.Signals> {
  return await new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => resolve(name));
    if (onTerminal()) process.once('SIGHUP', () => resolve('SIGHUP'));
    // Until it has started there is nothing to read again.
    else process.on('SIGHUP', () => {});
  });
}

/** There SIGHUP says that the terminal is gone; elsewhere it is the way to have files read again. */
function onTerminal(): boolean {
  return process.stdin.isTTY === true || process.stdout.isTTY === true;
}

/** What a user sees first: where everything is, and three lines to copy that work as they stand. */
function banner(platform: Platform, { open, data }: { readonly open: boolean; readonly data: string }): string {
  const { httpUrl, urls, adminKey, adminKeyFile, version, dataFolder } = platform;
  const { hostname, port } = new URL(urls.mqtt);
  const host = hostname.replace(/^\[|\]$/g, '');
  const keyLine =
    adminKeyFile === undefined
      ? 'from the configuration; the commands below take it as SELSYN_KEY'
      : `${adminKey}   (kept in ${shownPath(adminKeyFile)})`;
  const page = adminKeyFile === undefined ? `${httpUrl}/` : `${httpUrl}/#key=${adminKey}`;
  const selsyn = data === DEFAULT_DATA ? 'npx selsyn' : `npx selsyn --data ${shellWord(data)}`;
  const publish = `mosquitto_pub -h ${host} -p ${port} -i sensor123 ${open ? '' : '-u sensor123 -P TOKEN '}-q 1 -t telemetry/sensor123 -m '{"temperature":23.5}'`;
  return [
    `Selsyn ${version} is running on ${shownPath(dataFolder)}`,
    '',
    `  dashboard  ${page}`,
    `  API        ${httpUrl}/api/v1   (reference: ${httpUrl}/docs)`,
    ...(urls.https === undefined ? [] : [`             ${urls.https}`]),
    `  MQTT       ${urls.mqtt}`,
    ...doorLines(platform),
    `  admin key  ${keyLine}`,
    ...(open ? ['  access     open: every client on this machine is let in'] : []),
    '',
    open ? 'Publish a value, read it back:' : 'Add a device (prints its TOKEN), publish a value as that device, read it back:',
    '',
    ...(open ? [] : [`  ${selsyn} device add sensor123`]),
    `  ${publish}`,
    `  ${selsyn} query sensor123 --last 1h`,
    '',
    'Or let 50 virtual devices publish:',
    '',
    `  ${selsyn} demo`,
    '',
    'Ctrl-C stops.',
    '',
  ].join('\n');
}

/** The other ways in. */
function doorLines({ urls, caFile }: Platform): string[] {
  const { mqtts, ws, wss, unix } = urls;
  const trust = caFile === undefined ? '' : `   (clients trust ${shownPath(caFile)})`;
  return [
    ...(mqtts === undefined ? [] : [`             ${mqtts}${trust}`]),
    ...(ws === undefined ? [] : [`             ${ws}${wss === undefined ? '' : `   ${wss}`}`]),
    ...(unix === undefined ? [] : [`             ${unix}`]),
  ];
}

/** Short for what is below the working folder, whole for what is elsewhere: no row of `..`. */
function shownPath(path: string): string {
  const below = relative(process.cwd(), path);
  return below === '' || isAbsolute(below) || below.split(sep)[0] === '..' ? path : below;
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
