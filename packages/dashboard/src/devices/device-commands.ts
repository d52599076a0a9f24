export interface CommandPlace {
  /** Where the page came from: `http://127.0.0.1:8080`. */
  readonly origin: string;
  readonly hostname: string;
  readonly mqttPort: number;
}

export interface Command {
  readonly title: string;
  readonly shown: string;
  readonly copied: string;
}

const MASK = '••••••••';
/** For whoever came by a session and not by a key. */
const NO_KEY = 'KEY';

/** What to paste into a shell to publish as the device and to read it back. The key is masked on the screen and whole in the copy. */
export function deviceCommands(
  place: CommandPlace,
  device: { readonly id: string; readonly token: string },
  apiKey: string | undefined,
): Command[] {
  const shownKey = apiKey === undefined ? NO_KEY : MASK;
  const host = place.hostname === 'localhost' ? '127.0.0.1' : place.hostname.replace(/^\[|\]$/g, '');
  const publish =
    `mosquitto_pub -h ${host} -p ${place.mqttPort} -i ${device.id} -u ${device.id} -P ${device.token} \\\n` +
    `  -q 1 -t telemetry/${device.id} -m '{"temperature":23.5}'`;
  const read = (key: string, path: string) =>
    `curl -H 'Authorization: Bearer ${key}' \\\n  '${place.origin}/api/v1/devices/${device.id}/telemetry${path}'`;
  return [
    { title: 'Publish a value', shown: publish, copied: publish },
    { title: 'Read the latest values', shown: read(shownKey, '/latest'), copied: read(apiKey ?? NO_KEY, '/latest') },
    { title: 'Read the last hour', shown: read(shownKey, '?from=now-1h'), copied: read(apiKey ?? NO_KEY, '?from=now-1h') },
  ];
}

/** What to paste where there is no device yet. */
export function addDeviceCommands(place: Pick<CommandPlace, 'origin'>, apiKey: string | undefined): Command[] {
  const shownKey = apiKey === undefined ? NO_KEY : MASK;
  const add = (key: string) =>
    `curl -H 'Authorization: Bearer ${key}' -H 'Content-Type: application/json' \\\n` +
    `  -d '{"id":"sensor123"}' '${place.origin}/api/v1/devices'`;
  const demo = 'npx selsyn demo';
  return [
    { title: 'Fifty virtual devices that move', shown: demo, copied: demo },
    { title: 'One device; the answer holds its token', shown: add(shownKey), copied: add(apiKey ?? NO_KEY) },
  ];
}
