import { describe, expect, it } from 'vitest';
import { HeldMemory } from '../harness/held-memory.ts';
import { Random } from '../harness/random.ts';
import { Selsyn } from '../harness/selsyn.ts';
import { FUZZ_SETTINGS } from './fuzz-settings.ts';
import { fuzzSockets } from './socket-fuzz.ts';

/** Ten million and more are sent by fuzz-run.ts. */
const PACKETS = Number(process.env['SELSYN_FUZZ_PACKETS'] ?? 200_000);
const TIMEOUT_MS = 120_000 + PACKETS;

describe('a server that is sent changed packets over sockets', () => {
  it(
    `stands ${PACKETS} of them: every connection is closed or answered, and others are served`,
    async () => {
      using held = new HeldMemory();
      await using selsyn = await Selsyn.start({ nodeOptions: held.nodeOptions, settings: FUZZ_SETTINGS });
      const { pid } = selsyn;
      const { seed } = Random.ofRun('socket fuzz');
      const warm = await fuzzSockets({ port: selsyn.mqttPort, packets: PACKETS / 2, connections: 32, seed });
      const beforeBytes = await held.bytes(pid);
      const result = await fuzzSockets({ port: selsyn.mqttPort, packets: PACKETS / 2, connections: 32, seed: seed + 1 });
      const afterBytes = await held.bytes(pid);

      expect([...warm.stuck, ...result.stuck]).toEqual([]);
      expect(result.controlRoundTrips).toBeGreaterThan(10);
      // They are not all cut off at the first one.
      expect(result.examined).toBeGreaterThan(result.sent / 4);
      expect(selsyn.pid).toBe(pid);
      expect((await selsyn.fetch('/healthz')).status).toBe(200);
      expect(selsyn.said).not.toMatch(/"level":50|could not be handled/);
      expect(afterBytes, `${beforeBytes} bytes before`).toBeLessThan(beforeBytes + 16_777_216);
    },
    TIMEOUT_MS,
  );
});
