import type { StateEvent } from '../state/state-events.ts';

/** An event as the live feed shows it. The documents of a shadow are JSON text already. */
export function stateEventToJson(event: StateEvent): string {
  switch (event.kind) {
    case 'shadow': {
      const { device, shadow, version, change, documents } = event;
      const text = JSON.stringify({ device, ...(shadow !== '' && { shadow }), version, change });
      return documents === undefined ? text : `${text.slice(0, -1)},"documents":${documents}}`;
    }
    case 'command': {
      const { device, command, state } = event;
      return JSON.stringify({ device, command, state });
    }
    case 'job': {
      const { device, job, execution, status } = event;
      return JSON.stringify({ device, job, execution, status });
    }
  }
}
