import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reservePorts } from '@selsyn/platform/app/listening.ts';
import { expect, test } from 'vitest';
import { findProgram } from '../harness/programs.ts';
import { ADMIN_KEY, eventually, Selsyn } from '../harness/selsyn.ts';

test('Prometheus writes what it scrapes, with its labels in the names of the metrics', async ({ skip }) => {
  const program = findProgram('prometheus');
  if (program === undefined) return skip('prometheus is not installed');
  const folder = mkdtempSync(join(tmpdir(), 'selsyn-prometheus-'));
  let scrapes = 0;
  const target = createServer((_request, response) => {
    scrapes += 1;
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    // The second is there once: it goes stale, which is no point.
    const lines = [
      '# TYPE room_temperature gauge',
      `room_temperature{room="kitchen, east",floor="1"} ${20 + scrapes}`,
      'room_broken NaN',
    ];
    response.end(`${[...lines, ...(scrapes === 1 ? ['room_visitor 1'] : [])].join('\n')}\n`);
  });
  target.listen(0, '127.0.0.1');
  await once(target, 'listening');
  const address = `127.0.0.1:${(target.address() as AddressInfo).port}`;
  const { port } = await reservePorts({ port: { host: '127.0.0.1', port: 0, portKey: '' } });
  await using selsyn = await Selsyn.start();
  writeFileSync(
    join(folder, 'prometheus.yml'),
    `
global: { scrape_interval: 200ms }
scrape_configs:
  - job_name: rooms
    static_configs: [{ targets: ['${address}'] }]
remote_write:
  - url: ${selsyn.url}/api/v1/write
    authorization: { credentials: ${ADMIN_KEY} }
    queue_config: { batch_send_deadline: 100ms }
`,
  );
  const flags = [
    '--config.file',
    join(folder, 'prometheus.yml'),
    '--storage.tsdb.path',
    join(folder, 'data'),
    '--web.listen-address',
    `127.0.0.1:${port}`,
  ];
  const child = spawn(program, flags, { stdio: 'ignore', cwd: folder });
  try {
    const series = await eventually(async () => {
      const found = await selsyn
        .get<Record<string, readonly (readonly [number, number])[]>>(`/api/v1/devices/${address}/telemetry`)
        .catch(() => undefined);
      return (found?.['room_temperature;floor=1;job=rooms;room=kitchen, east']?.length ?? 0) >= 3 ? found : undefined;
    });
    const temperatures = series?.['room_temperature;floor=1;job=rooms;room=kitchen, east']?.map(([, value]) => value) ?? [];
    expect(temperatures.slice(0, 3)).toEqual([21, 22, 23]);
    expect(series?.['room_visitor;job=rooms']).toHaveLength(1);
    expect(series).not.toHaveProperty('room_broken;job=rooms');
    expect(series?.['up;job=rooms']?.[0]?.[1]).toBe(1);
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toMatch(/prometheus_remote_storage_samples_failed_total\{.*\} 0/);
  } finally {
    child.kill('SIGKILL');
    target.closeAllConnections();
    target.close();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
});
