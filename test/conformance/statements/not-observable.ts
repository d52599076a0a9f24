import type { StandardVersion } from './statement.ts';

const ALL_QOS = 'The server takes every QoS, so the case does not arise.';

/** Why no test can see whether the server keeps to a statement that binds it. */
export const NOT_OBSERVABLE: Readonly<Record<StandardVersion, Readonly<Record<string, string>>>> = {
  '3.1.1': {
    '3.8.3-2': 'The server takes filters with wildcards, so the case does not arise.',
    '7.0.0-1': 'The server connects to no other server.',
    '7.0.0-2':
      'A statement about the whole. Every test here, and every scenario with an ordinary client, works without extensions.',
  },
  '5.0': {
    '3.2.2-9': ALL_QOS,
    '3.2.2-10': ALL_QOS,
    '3.2.2-12': ALL_QOS,
    '3.2.2-13': 'The server retains messages, so the case does not arise.',
  },
};
