import { expect, it } from 'vitest';
import { addDeviceCommands, deviceCommands } from './device-commands.ts';

const PLACE = { origin: 'http://localhost:8080', hostname: 'localhost', mqttPort: 1884 };

it('publishes with the device’s own id, user name and token', () => {
  const [publish] = deviceCommands(PLACE, { id: 'sensor123', token: 'tok' }, 'key');
  expect(publish?.copied).toContain('mosquitto_pub -h 127.0.0.1 -p 1884 -i sensor123 -u sensor123 -P tok');
  expect(publish?.copied).toContain(`-t telemetry/sensor123 -m '{"temperature":23.5}'`);
});

it('shows no key on the screen, and copies it whole', () => {
  const commands = [...deviceCommands(PLACE, { id: 'a', token: 'tok' }, 'topsecret'), ...addDeviceCommands(PLACE, 'topsecret')];
  for (const { shown } of commands) expect(shown).not.toContain('topsecret');
  expect(commands.filter(({ copied }) => copied.includes('Bearer topsecret'))).toHaveLength(3);
});
