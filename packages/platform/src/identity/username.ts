/**
 * The name in an MQTT username: what stands before the first `?`. The AWS device SDKs put facts about themselves behind one
 * (`thermostat-1?SDK=NodeJSv2&Version=1.28.0`); no device id has one, so nothing behind it can make it another device.
 */
export function nameOfUsername(username: string | undefined): string {
  return username?.split('?', 1)[0] ?? '';
}
