/** What mail says. One table: a language that lacks a text does not compile. */

export type MailLanguage = 'en' | 'ko'
export type MailKind = 'reset' | 'confirm' | 'taken' | 'invite'

export interface MailFacts {
  /** What the application is called. */
  readonly name: string
  /** A link or a token; null for mail that needs neither. */
  readonly key: string | null
  readonly isLink: boolean
  /** Life of the token, in words. */
  readonly life: string
}

interface MailText {
  readonly subject: (facts: MailFacts) => string
  readonly lines: (facts: MailFacts) => readonly string[]
}

export const MAIL_TEXTS: Readonly<Record<MailLanguage, Readonly<Record<MailKind, MailText>>>> = {
  en: {
    reset: {
      subject: ({ name }) => `Set a new password for ${name}`,
      lines: ({ name, key, isLink, life }) => [
        `Somebody, probably you, asked for a new password for your account at ${name}.`,
        '',
        isLink ? 'Open this page to choose one:' : 'This is the code that it takes:',
        '',
        `    ${key}`,
        '',
        `It works once, for ${life}. Afterwards you are logged out everywhere.`,
        '',
        'If it was not you, there is nothing to do: your password stays as it is. Do not pass this mail on.',
      ],
    },
    confirm: {
      subject: ({ name }) => `Confirm your address for ${name}`,
      lines: ({ name, key, isLink, life }) => [
        `Somebody, probably you, wants to open an account at ${name} with this address.`,
        '',
        isLink
          ? 'Open this page to confirm it. You will be asked for the password that you chose:'
          : 'This is the code that confirms it, together with the password that you chose:',
        '',
        `    ${key}`,
        '',
        `It works once, for ${life}.`,
        '',
        'If it was not you, there is nothing to do: without your help no account is opened.',
      ],
    },
    taken: {
      subject: ({ name }) => `You already have an account at ${name}`,
      lines: ({ name }) => [
        `Somebody, probably you, wanted to open an account at ${name} with this address. There is one already.`,
        '',
        'Log in as usual. If you have forgotten the password, ask for a new one there.',
        '',
        'If it was not you, there is nothing to do: nobody was told that this address has an account.',
      ],
    },
    invite: {
      subject: ({ name }) => `You are invited to ${name}`,
      lines: ({ name, key, isLink, life }) => [
        `You are invited to open an account at ${name} with this address.`,
        '',
        isLink ? 'Open this page to do so:' : 'This is the invitation that it takes:',
        '',
        `    ${key}`,
        '',
        `It works once, for ${life}.`,
      ],
    },
  },
  ko: {
    reset: {
      subject: ({ name }) => `${name} 비밀번호 재설정`,
      lines: ({ name, key, isLink, life }) => [
        `${name} 계정의 비밀번호 재설정 요청을 받았습니다.`,
        '',
        isLink ? '아래 페이지에서 새 비밀번호를 정해 주세요.' : '아래 코드를 입력하고 새 비밀번호를 정해 주세요.',
        '',
        `    ${key}`,
        '',
        `${life} 동안 한 번만 쓸 수 있습니다. 비밀번호를 바꾸면 모든 기기에서 로그아웃됩니다.`,
        '',
        '직접 요청하지 않으셨다면 이 메일을 무시하셔도 됩니다. 비밀번호는 바뀌지 않습니다. 이 메일을 다른 사람에게 전달하지 마세요.',
      ],
    },
    confirm: {
      subject: ({ name }) => `${name} 이메일 주소 확인`,
      lines: ({ name, key, isLink, life }) => [
        `이 이메일 주소로 ${name} 가입 신청을 받았습니다.`,
        '',
        isLink
          ? '아래 페이지에서 주소를 확인해 주세요. 가입할 때 정한 비밀번호를 다시 입력해야 합니다.'
          : '아래 코드와 가입할 때 정한 비밀번호를 함께 입력해 주세요.',
        '',
        `    ${key}`,
        '',
        `${life} 동안 한 번만 쓸 수 있습니다.`,
        '',
        '직접 신청하지 않으셨다면 이 메일을 무시하셔도 됩니다. 확인하지 않으면 계정은 만들어지지 않습니다.',
      ],
    },
    taken: {
      subject: ({ name }) => `${name}에 이미 가입되어 있습니다`,
      lines: ({ name }) => [
        `이 이메일 주소로 ${name} 가입 신청을 받았지만, 이미 가입된 주소입니다.`,
        '',
        '평소처럼 로그인해 주세요. 비밀번호를 잊으셨다면 로그인 화면에서 재설정을 요청하실 수 있습니다.',
        '',
        '직접 신청하지 않으셨다면 이 메일을 무시하셔도 됩니다. 가입 여부는 신청한 사람에게 알려지지 않았습니다.',
      ],
    },
    invite: {
      subject: ({ name }) => `${name} 초대`,
      lines: ({ name, key, isLink, life }) => [
        `${name}에 초대되었습니다. 이 이메일 주소로 가입하실 수 있습니다.`,
        '',
        isLink ? '아래 페이지에서 가입해 주세요.' : '가입할 때 아래 초대 코드를 입력해 주세요.',
        '',
        `    ${key}`,
        '',
        `${life} 동안 한 번만 쓸 수 있습니다.`,
      ],
    },
  },
}

const UNITS: readonly [seconds: number, unit: 'day' | 'hour' | 'minute'][] = [
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
]

/** `30 minutes`, `1 day`, `30분`: in the largest unit that says it without a fraction. */
export function formatLife(language: MailLanguage, seconds: number): string {
  const [size, unit] = UNITS.find(([size]) => seconds >= size && seconds % size === 0) ?? UNITS[2]!
  const count = Math.max(1, Math.floor(seconds / size))
  return new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(count)
}

/** The first language of `Accept-Language` (RFC 9110, section 12.5.4) that there are texts in. */
export function chooseLanguage(accepted: string | null, fallback: MailLanguage): MailLanguage {
  const wanted = (accepted ?? '')
    .split(',')
    .map((item) => {
      const [tag = '', ...parameters] = item.trim().toLowerCase().split(';')
      const quality = parameters.map((text) => /^\s*q=([01](?:\.\d{0,3})?)$/.exec(text)?.[1]).find(Boolean)
      return { primary: tag.split('-')[0]!, quality: quality === undefined ? 1 : Number(quality) }
    })
    .filter(({ primary, quality }) => Object.hasOwn(MAIL_TEXTS, primary) && quality > 0)
    .sort((a, b) => b.quality - a.quality)
  return (wanted[0]?.primary as MailLanguage | undefined) ?? fallback
}
