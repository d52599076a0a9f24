import { HttpConnection } from './http-connection.ts';
import { AUTHORIZATION, type SelsynServer } from './servers.ts';

/** Counts, through the API, every point that devices `bench-0` to `bench-{devices - 1}` have. */
export async function countStored(server: SelsynServer, devices: number): Promise<number> {
  using connection = await HttpConnection.open(server.httpPort, AUTHORIZATION);
  let found = 0;
  for (let device = 0; device < devices; device += 1) {
    const body = await connection.get(`/api/v1/devices/bench-${device}/telemetry?from=now-2d&to=now%2B1d&every=1d&fn=count`);
    const answer = JSON.parse(body.toString()) as Record<string, [number, number][]>;
    for (const buckets of Object.values(answer)) for (const [, count] of buckets) found += count;
  }
  return found;
}
