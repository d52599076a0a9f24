import { Link } from '@tanstack/react-router';
import type { CheckOutcome, Finding } from '../api/checks.ts';
import { formatCount } from '../format/number-format.ts';
import { Badge, type Tone } from '../ui/badge.tsx';
import styles from './security.module.css';

const SHOWN = 20;
const SHORT_ID = 16;
const TONES: Readonly<Record<string, Tone>> = { critical: 'bad', high: 'bad', medium: 'warn', low: 'plain' };

interface CheckOutcomesProps {
  readonly outcomes: readonly CheckOutcome[];
  /** In the groups that the caller sees. */
  readonly findings: readonly Finding[];
}

/** What each check came to, with what it found. */
export function CheckOutcomes({ outcomes, findings }: CheckOutcomesProps) {
  if (outcomes.length === 0) return null;
  return (
    <ul className={styles.checks}>
      {outcomes.toSorted(worstFirst).map((outcome) => {
        const found = findings.filter(({ check }) => check === outcome.check);
        return (
          <li key={outcome.check} data-check={outcome.check} data-status={outcome.status}>
            <div className={styles.check}>
              <Badge tone={outcome.status === 'compliant' ? 'good' : (TONES[outcome.severity] ?? 'plain')}>
                {outcome.status === 'compliant' ? 'nothing found' : outcome.severity}
              </Badge>
              <strong>{outcome.title}</strong>
              <span className={styles.note}>{wordsOf(outcome, found.length)}</span>
            </div>
            {found.length > 0 && (
              <ul className={styles.findings}>
                {found.slice(0, SHOWN).map((finding) => (
                  <li key={`${finding.kind} ${finding.id} ${finding.reason}`}>
                    <FindingObject finding={finding} /> {finding.reason}
                  </li>
                ))}
                {found.length > SHOWN && <li>{formatCount(found.length - SHOWN)} more: npx selsyn checks show REPORT</li>}
              </ul>
            )}
          </li>
        );
      })}
    </ul>
  );
}

const SEVERITIES = ['critical', 'high', 'medium', 'low'];

/** What found something comes before what did not. */
function worstFirst(a: CheckOutcome, b: CheckOutcome): number {
  const rank = ({ status, severity }: CheckOutcome) =>
    (status === 'compliant' ? SEVERITIES.length : 0) + SEVERITIES.indexOf(severity);
  return rank(a) - rank(b);
}

function wordsOf({ status, error, findings }: CheckOutcome, seen: number): string {
  if (status === 'failed') return `could not be run: ${error ?? 'the log of the server tells why'}`;
  if (status === 'compliant') return '';
  if (seen === 0) return 'found nothing in your groups';
  return `${formatCount(findings)} found${seen < findings ? `, ${formatCount(seen)} shown` : ''}`;
}

function FindingObject({ finding: { kind, id } }: { readonly finding: Finding }) {
  if (kind === 'certificate') {
    return (
      <Link to="/security" search={{ find: id }} title={id}>
        <code>{id.slice(0, SHORT_ID)}…</code>
      </Link>
    );
  }
  const short = /^[0-9a-f]{64}$/.test(id) ? `${id.slice(0, SHORT_ID)}…` : id;
  return (
    <span title={id}>
      {kind} <code>{short}</code>
    </span>
  );
}
