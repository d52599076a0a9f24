import type { CardinalityReport } from '../telemetry/cardinality-report.ts';

/** Of two devices, one of which has what looks like ids in the names of its metrics. */
export const CARDINALITY: CardinalityReport = {
  atMs: 7_200_000,
  watchedSinceMs: 0,
  usage: {
    whole: { series: 9, limit: 10, state: 'near' },
    types: [{ type: 'pump', series: 8, limit: Infinity, perDevice: 20, state: 'ok' }],
    devices: [{ device: 'a', series: 8, limit: 10, state: 'near' }],
    refused: { device: 3, type: 0, whole: 1 },
  },
  all: { series: 9, hour: 2, day: 4, devices: 2 },
  fullAtMs: 7_201_000.4,
  topDevices: [{ device: 'a', type: 'pump', limit: 10, series: 8, hour: 2, day: 4 }],
  growingDevices: [{ device: 'b', type: '', limit: Infinity, series: 1, hour: 0, day: 1 }],
  topMetrics: [{ metric: 'temperature', series: 2, hour: 0, day: 0 }],
  suspects: [
    {
      pattern: 'door_{uuid}',
      kind: 'uuid',
      names: 7,
      more: false,
      examples: ['door_1'],
      device: 'a',
      series: 7,
      hour: 2,
      day: 4,
    },
  ],
  refusedDevices: [{ device: 'a', scope: 'device', messages: 3, lastMs: 5 }],
};
