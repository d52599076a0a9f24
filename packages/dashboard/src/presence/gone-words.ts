const WORDS: Readonly<Record<string, string>> = {
  'client-disconnect': 'It said goodbye.',
  'client-disconnect-with-will': 'It said goodbye and had its last will published.',
  'connection-lost': 'The connection broke without a goodbye.',
  'taken-over': 'Another connection came with the same client id.',
  'keep-alive': 'It fell silent: nothing came within one and a half times its keep-alive.',
  malformed: 'It sent a packet that is none.',
  'protocol-error': 'It broke the protocol.',
  'packet-too-large': 'It sent a packet larger than allowed.',
  'receive-maximum': 'It left more messages unacknowledged than is allowed.',
  'topic-alias': 'It used a topic alias that is not valid.',
  'topic-invalid': 'It used a topic that is not valid.',
  'not-authorized': 'It published where it may not.',
  'slow-subscriber': 'It did not read its messages, and its queue was full.',
  'not-reading': 'It did not read what it was answered.',
  'packet-too-slow': 'A packet of it came in too slowly.',
  'no-room': 'There was no room on the server for a message of it.',
  'payload-invalid': 'A payload was not of the format that it said.',
  'reauthentication-failed': 'It could not authenticate again.',
  'access-withdrawn': 'Its credential was revoked or has expired, or it may not connect any more.',
  'log-failed': 'The server could not store a message of it.',
  administrative: 'An administrator closed its connection.',
  'server-shutdown': 'The server was stopped.',
  'server-ended': 'The server ended without a word, and it has not come back since.',
  internal: 'The server failed.',
  'said-offline': 'It was said to be offline on its status topic.',
  'speaker-gone': 'The gateway that speaks for it is gone.',
};

/** Why a device is gone, for people. */
export function goneWords(reason: string | undefined): string {
  if (reason === undefined) return 'Why is not known.';
  return WORDS[reason] ?? reason;
}
