import type { Series } from '../api/telemetry.ts';

/** Long form, RFC 4180: one line a point, so that metrics with different times lose nothing. */
export function toCsv(series: Series): string {
  const lines = ['time,timeMs,metric,value'];
  for (const [metric, points] of series) {
    const name = quote(metric);
    for (const [timeMs, value] of points)
      lines.push(`${new Date(timeMs).toISOString()},${timeMs},${name},${quote(String(value))}`);
  }
  return `${lines.join('\r\n')}\r\n`;
}

function quote(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
