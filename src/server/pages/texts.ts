/** What the pages say. One table: a language that lacks a text does not compile. */
import type { ErrorCode } from '../../errors.ts'

export type PageLanguage = 'en' | 'ko'

/** Every refusal that a form of the pages can meet; another one is told as `failed`. */
type Told =
  | 'ERR_LOGIN_REFUSED'
  | 'ERR_THROTTLED'
  | 'ERR_OVERLOADED'
  | 'ERR_UNAVAILABLE'
  | 'ERR_IDENTIFIER_INVALID'
  | 'ERR_IDENTIFIER_TAKEN'
  | 'ERR_IDENTIFIER_NOT_EMAIL'
  | 'ERR_PASSWORD_TOO_SHORT'
  | 'ERR_PASSWORD_TOO_LONG'
  | 'ERR_PASSWORD_COMMON'
  | 'ERR_PASSWORD_MATCHES_IDENTIFIER'
  | 'ERR_PASSWORD_MALFORMED'
  | 'ERR_PASSWORD_WRONG'
  | 'ERR_RESET_INVALID'
  | 'ERR_CONFIRMATION_INVALID'
  | 'ERR_INVITATION_INVALID'
  | 'ERR_INVITATION_REQUIRED'
  | 'ERR_REGISTRATION_CLOSED'
  | 'ERR_MAIL_UNAVAILABLE'
  | 'ERR_CSRF'
  | 'ERR_EVENT_NOT_FOUND'
  | 'ERR_EVENT_NOT_DISOWNABLE'
  | 'ERR_CLIENT_NOT_FOUND'
  | 'ERR_REDIRECT_URI_NOT_ALLOWED'
  | 'ERR_QUERY_INVALID'

export interface PageTexts {
  readonly language: string
  readonly signIn: string
  readonly signUp: string
  readonly signOut: string
  readonly identifier: string
  readonly password: string
  readonly newPassword: string
  readonly currentPassword: string
  readonly passwordHint: (least: number) => string
  readonly forgot: string
  readonly noAccount: string
  readonly haveAccount: string
  readonly forgotTitle: string
  readonly forgotSays: string
  readonly send: string
  readonly sentTitle: string
  readonly sentSays: string
  readonly confirmSentSays: string
  readonly resetTitle: string
  readonly code: string
  readonly codeHint: string
  readonly save: string
  readonly resetDone: string
  readonly confirmTitle: string
  readonly confirm: string
  readonly invitation: string
  readonly closedSays: string
  readonly changeTitle: string
  readonly changeDone: string
  readonly changeSays: string
  readonly accountTitle: string
  readonly sessions: string
  readonly sessionsSay: string
  readonly thisOne: string
  readonly end: string
  readonly endOthers: string
  readonly ended: string
  readonly history: string
  readonly older: string
  readonly newest: string
  readonly nothing: string
  readonly disown: string
  readonly disownTitle: string
  readonly disownSays: string
  readonly disownButton: string
  readonly cancel: string
  readonly disowned: string
  readonly disownedOwn: string
  readonly from: (address: string) => string
  readonly lastUsed: string
  readonly unknownBrowser: string
  readonly browserOn: (browser: string, system: string) => string
  readonly failed: (requestId: string) => string
  readonly goOnTo: (application: string) => string
  readonly onward: string
  readonly goOn: string
  readonly inApplication: (application: string) => string
  readonly wentOnTo: (application: string) => string
  readonly back: string
  readonly problems: Readonly<Record<Told, (members: { readonly seconds: number; readonly least: number }) => string>>
  /** Event types of the own history, in words; `type reason` wins over `type`. */
  readonly events: Readonly<Record<string, string>>
}

const minutes = (seconds: number): number => Math.max(1, Math.ceil(seconds / 60))

export const PAGE_TEXTS: Readonly<Record<PageLanguage, PageTexts>> = {
  en: {
    language: 'English',
    signIn: 'Log in',
    signUp: 'Create an account',
    signOut: 'Log out',
    identifier: 'E-mail address or name',
    password: 'Password',
    newPassword: 'New password',
    currentPassword: 'Current password',
    passwordHint: (least) => `At least ${least} characters. A few words in a row are easy to remember.`,
    forgot: 'Forgotten the password?',
    noAccount: 'Create an account',
    haveAccount: 'I have an account',
    forgotTitle: 'Set a new password',
    forgotSays: 'Tell us which account it is for, and we send a link to its address.',
    send: 'Send the link',
    sentTitle: 'Look at your mail',
    sentSays: 'If there is an account, a link is on its way. It works once, and not for long.',
    confirmSentSays: 'We have sent a mail to the address. Open the link in it to go on.',
    resetTitle: 'Choose a new password',
    code: 'Code from the mail',
    codeHint: 'What comes behind “#token=” in the link.',
    save: 'Save the password',
    resetDone: 'The password is changed, and you were logged out everywhere. Log in with the new one.',
    confirmTitle: 'Confirm your address',
    confirm: 'Confirm and log in',
    invitation: 'Code of the invitation',
    closedSays: 'Nobody can create an account here at the moment.',
    changeTitle: 'Change the password',
    changeDone: 'The password is changed. All other sessions have ended.',
    changeSays: 'All other sessions end with it.',
    accountTitle: 'Your account',
    sessions: 'Where you are logged in',
    sessionsSay: 'Each row is a browser or program that can use your account now.',
    thisOne: 'this browser',
    end: 'Log out there',
    endOthers: 'Log out everywhere else',
    ended: 'The session has ended.',
    history: 'What has happened',
    older: 'Older',
    newest: 'Newest',
    nothing: 'There is nothing here yet.',
    disown: 'This wasn’t me',
    disownTitle: 'Was this somebody else?',
    disownSays:
      'We end this session with everything that came of it and report it. Then you choose a new password, so that nobody can come back with the old one.',
    disownButton: 'It wasn’t me: end it',
    cancel: 'Back',
    disowned: 'The session has ended, and it was reported. Now choose a new password.',
    disownedOwn: 'That was the session of this browser. Log in and choose a new password.',
    from: (address) => `from ${address}`,
    lastUsed: 'last used',
    unknownBrowser: 'Unknown program',
    browserOn: (browser, system) => `${browser} on ${system}`,
    failed: (requestId) => `Something went wrong. If it stays like this, tell us this number: ${requestId}`,
    goOnTo: (application) => `Log in to go on to ${application}.`,
    onward: 'You are logged in and are being taken to the application.',
    goOn: 'Go on',
    inApplication: (application) => `In ${application}`,
    wentOnTo: (application) => `Went on to ${application}`,
    back: 'Go to your account',
    problems: {
      ERR_LOGIN_REFUSED: () => 'Name or password is not right.',
      ERR_THROTTLED: ({ seconds }) => `Too many attempts. Try again in ${minutes(seconds)} min.`,
      ERR_OVERLOADED: () => 'Too many people are logging in at this moment. Try again.',
      ERR_UNAVAILABLE: () => 'This does not work at the moment. Try again soon.',
      ERR_IDENTIFIER_INVALID: () => 'This cannot be a name or an address.',
      ERR_IDENTIFIER_TAKEN: () => 'There is an account with this name already.',
      ERR_IDENTIFIER_NOT_EMAIL: () => 'This is not an e-mail address.',
      ERR_PASSWORD_TOO_SHORT: ({ least }) => `The password needs at least ${least} characters.`,
      ERR_PASSWORD_TOO_LONG: () => 'The password is too long.',
      ERR_PASSWORD_COMMON: () => 'Many people use this password, so it is guessed first. Choose another one.',
      ERR_PASSWORD_MATCHES_IDENTIFIER: () => 'The password must not be the name.',
      ERR_PASSWORD_MALFORMED: () => 'The password has characters that cannot be used.',
      ERR_PASSWORD_WRONG: () => 'The password is not right.',
      ERR_RESET_INVALID: () => 'The link is not good any more. Ask for a new one.',
      ERR_CONFIRMATION_INVALID: () => 'The link is not good any more. Create the account again.',
      ERR_INVITATION_INVALID: () => 'The invitation is not good any more, or for another address.',
      ERR_INVITATION_REQUIRED: () => 'An account takes an invitation here.',
      ERR_REGISTRATION_CLOSED: () => 'Nobody can create an account here at the moment.',
      ERR_MAIL_UNAVAILABLE: () => 'Mail cannot be sent at the moment. Try again later.',
      ERR_CSRF: () => 'The form was not sent from this site. Send it once more.',
      ERR_EVENT_NOT_FOUND: () => 'There is no such entry in your history.',
      ERR_EVENT_NOT_DISOWNABLE: () => 'There is no session behind this entry, so there is none to end.',
      ERR_CLIENT_NOT_FOUND: () =>
        'The application that has sent you here is not known. Go back, and tell whoever runs it.',
      ERR_REDIRECT_URI_NOT_ALLOWED: () =>
        'The application that sent you here asked for an address that is not registered for it, so we stopped. Tell whoever runs it.',
      ERR_QUERY_INVALID: () => 'The link that has led you here is not complete.',
    },
    events: {
      'user.registered': 'Account created',
      'user.imported': 'Account brought over',
      'user.updated': 'Account changed',
      'user.disabled': 'Account disabled',
      'user.enabled': 'Account enabled again',
      'login.succeeded': 'Logged in',
      'authorization.granted': 'Sent on to an application',
      'authorization.refused': 'Not handed over to an application',
      'login.failed': 'Log-in refused',
      'login.failed wrong-password': 'Log-in refused: wrong password',
      'login.failed throttled': 'Log-in refused: too many attempts',
      'login.failed disabled': 'Log-in refused: account disabled',
      'session.refreshed': 'Stayed logged in',
      'session.refresh-refused': 'Session not renewed',
      'session.refresh-refused reused': 'Session not renewed: its token was used twice',
      'session.ended': 'Logged out',
      'session.ended ended-by-user': 'Session ended by you',
      'session.ended ended-by-admin': 'Session ended by an administrator',
      'session.ended password-changed': 'Session ended: password changed',
      'session.ended refresh-reused': 'Session ended: its token was used twice',
      'session.ended user-disabled': 'Session ended: account disabled',
      'session.ended session-limit': 'Session ended: too many sessions',
      'session.ended expired': 'Session expired',
      'session.ended disowned': 'Session ended: it wasn’t you',
      'session.ended code-reused': 'Session ended: its code was used twice',
      'session.ended replaced': 'Session ended: the application was entered again',
      'session.ended client-revoked': 'Session ended: the application is not connected any more',
      'session.disowned': 'You reported a session that wasn’t yours',
      'password.changed': 'Password changed',
      'password.change-failed': 'Password not changed',
      'password.reset-requested': 'New password asked for by mail',
      'password.reset': 'New password set by mail',
      'password.reset-failed': 'New password not set',
      'role.granted': 'Right given',
      'role.revoked': 'Right taken',
      'throttle.locked': 'Log-in locked for a while: too many attempts',
      'throttle.unlocked': 'Log-in unlocked',
    },
  },
  ko: {
    language: '한국어',
    signIn: '로그인',
    signUp: '계정 만들기',
    signOut: '로그아웃',
    identifier: '이메일 또는 아이디',
    password: '비밀번호',
    newPassword: '새 비밀번호',
    currentPassword: '현재 비밀번호',
    passwordHint: (least) => `${least}자 이상. 단어 몇 개를 이어 쓰면 기억하기 쉽습니다.`,
    forgot: '비밀번호를 잊으셨나요?',
    noAccount: '계정 만들기',
    haveAccount: '이미 계정이 있습니다',
    forgotTitle: '비밀번호 재설정',
    forgotSays: '이메일 또는 아이디를 입력하시면 등록된 주소로 링크를 보내 드립니다.',
    send: '링크 보내기',
    sentTitle: '메일을 확인해 주세요',
    sentSays: '계정이 있으면 링크를 보내 드렸습니다. 링크는 잠시 동안 한 번만 쓸 수 있습니다.',
    confirmSentSays: '입력하신 주소로 메일을 보냈습니다. 메일의 링크를 열어 계속해 주세요.',
    resetTitle: '새 비밀번호 설정',
    code: '메일에 있는 코드',
    codeHint: '링크에서 “#token=” 뒤에 오는 부분입니다.',
    save: '비밀번호 변경',
    resetDone: '비밀번호를 바꾸고 모든 기기에서 로그아웃했습니다. 새 비밀번호로 로그인해 주세요.',
    confirmTitle: '주소 확인',
    confirm: '확인하고 로그인',
    invitation: '초대 코드',
    closedSays: '지금은 계정을 만들 수 없습니다.',
    changeTitle: '비밀번호 바꾸기',
    changeDone: '비밀번호를 바꿨습니다. 다른 세션은 모두 종료되었습니다.',
    changeSays: '바꾸면 다른 세션은 모두 종료됩니다.',
    accountTitle: '내 계정',
    sessions: '로그인된 곳',
    sessionsSay: '지금 이 계정을 쓸 수 있는 브라우저와 프로그램입니다.',
    thisOne: '이 브라우저',
    end: '로그아웃시키기',
    endOthers: '다른 곳 모두 로그아웃',
    ended: '세션을 종료했습니다.',
    history: '활동 기록',
    older: '이전 기록',
    newest: '최근 기록',
    nothing: '아직 기록이 없습니다.',
    disown: '본인이 아닙니다',
    disownTitle: '다른 사람이 한 일인가요?',
    disownSays:
      '이 세션과 여기서 이어진 것을 모두 종료하고 신고합니다. 그다음 새 비밀번호를 정하면 예전 비밀번호로는 다시 들어올 수 없습니다.',
    disownButton: '본인이 아닙니다. 세션 종료',
    cancel: '돌아가기',
    disowned: '세션을 종료하고 신고했습니다. 이제 새 비밀번호를 정해 주세요.',
    disownedOwn: '지금 쓰시던 브라우저의 세션이었습니다. 다시 로그인하여 새 비밀번호를 정해 주세요.',
    from: (address) => `${address}에서`,
    lastUsed: '마지막 사용',
    unknownBrowser: '알 수 없는 프로그램',
    browserOn: (browser, system) => `${system}의 ${browser}`,
    failed: (requestId) => `문제가 생겼습니다. 계속되면 이 번호를 알려 주세요: ${requestId}`,
    goOnTo: (application) => `로그인하면 ${application} 앱으로 이동합니다.`,
    onward: '로그인되었습니다. 앱으로 이동합니다.',
    goOn: '계속',
    inApplication: (application) => `${application} 앱`,
    wentOnTo: (application) => `${application} 앱으로 이동`,
    back: '내 계정으로',
    problems: {
      ERR_LOGIN_REFUSED: () => '아이디 또는 비밀번호가 맞지 않습니다.',
      ERR_THROTTLED: ({ seconds }) => `시도가 너무 많습니다. ${minutes(seconds)}분 뒤에 다시 해 주세요.`,
      ERR_OVERLOADED: () => '지금 로그인이 몰리고 있습니다. 다시 시도해 주세요.',
      ERR_UNAVAILABLE: () => '지금은 사용할 수 없습니다. 잠시 뒤에 다시 시도해 주세요.',
      ERR_IDENTIFIER_INVALID: () => '이메일이나 아이디로 쓸 수 없는 값입니다.',
      ERR_IDENTIFIER_TAKEN: () => '이미 있는 계정입니다.',
      ERR_IDENTIFIER_NOT_EMAIL: () => '이메일 주소가 아닙니다.',
      ERR_PASSWORD_TOO_SHORT: ({ least }) => `비밀번호는 ${least}자 이상이어야 합니다.`,
      ERR_PASSWORD_TOO_LONG: () => '비밀번호가 너무 깁니다.',
      ERR_PASSWORD_COMMON: () => '많은 사람이 쓰는 비밀번호라 쉽게 추측됩니다. 다른 것을 정해 주세요.',
      ERR_PASSWORD_MATCHES_IDENTIFIER: () => '비밀번호가 아이디와 같으면 안 됩니다.',
      ERR_PASSWORD_MALFORMED: () => '비밀번호에 쓸 수 없는 문자가 있습니다.',
      ERR_PASSWORD_WRONG: () => '비밀번호가 맞지 않습니다.',
      ERR_RESET_INVALID: () => '더 이상 쓸 수 없는 링크입니다. 다시 요청해 주세요.',
      ERR_CONFIRMATION_INVALID: () => '더 이상 쓸 수 없는 링크입니다. 계정을 다시 만들어 주세요.',
      ERR_INVITATION_INVALID: () => '더 이상 쓸 수 없거나 다른 주소로 보낸 초대입니다.',
      ERR_INVITATION_REQUIRED: () => '계정을 만들려면 초대가 필요합니다.',
      ERR_REGISTRATION_CLOSED: () => '지금은 계정을 만들 수 없습니다.',
      ERR_MAIL_UNAVAILABLE: () => '지금은 메일을 보낼 수 없습니다. 나중에 다시 시도해 주세요.',
      ERR_CSRF: () => '이 사이트에서 보낸 요청이 아닙니다. 다시 보내 주세요.',
      ERR_EVENT_NOT_FOUND: () => '활동 기록에 없는 항목입니다.',
      ERR_EVENT_NOT_DISOWNABLE: () => '이 항목에는 종료할 세션이 없습니다.',
      ERR_CLIENT_NOT_FOUND: () =>
        '등록되지 않은 앱에서 보낸 요청입니다. 이전 페이지로 돌아가 앱 운영자에게 알려 주세요.',
      ERR_REDIRECT_URI_NOT_ALLOWED: () =>
        '앱이 등록되지 않은 주소로 이동하려고 해서 중단했습니다. 앱 운영자에게 알려 주세요.',
      ERR_QUERY_INVALID: () => '링크가 올바르지 않습니다.',
    },
    events: {
      'user.registered': '계정을 만듦',
      'user.imported': '계정을 옮겨 옴',
      'user.updated': '계정이 바뀜',
      'user.disabled': '계정이 정지됨',
      'user.enabled': '계정 정지가 풀림',
      'login.succeeded': '로그인',
      'authorization.granted': '앱으로 이동',
      'authorization.refused': '앱으로 이동 거부',
      'login.failed': '로그인 거부',
      'login.failed wrong-password': '로그인 거부: 비밀번호가 틀림',
      'login.failed throttled': '로그인 거부: 시도가 너무 많음',
      'login.failed disabled': '로그인 거부: 정지된 계정',
      'session.refreshed': '로그인 유지',
      'session.refresh-refused': '세션 갱신 거부',
      'session.refresh-refused reused': '세션 갱신 거부: 토큰이 두 번 쓰임',
      'session.ended': '로그아웃',
      'session.ended ended-by-user': '직접 세션을 종료함',
      'session.ended ended-by-admin': '관리자가 세션을 종료함',
      'session.ended password-changed': '비밀번호가 바뀌어 세션 종료',
      'session.ended refresh-reused': '토큰이 두 번 쓰여 세션 종료',
      'session.ended user-disabled': '계정이 정지되어 세션 종료',
      'session.ended session-limit': '세션이 너무 많아 종료',
      'session.ended expired': '세션 만료',
      'session.ended disowned': '본인이 아니어서 세션 종료',
      'session.ended code-reused': '코드가 두 번 쓰여 세션 종료',
      'session.ended replaced': '앱에 다시 들어와 이전 세션 종료',
      'session.ended client-revoked': '앱 연결이 해제되어 세션 종료',
      'session.disowned': '본인이 아닌 세션을 신고함',
      'password.changed': '비밀번호 변경',
      'password.change-failed': '비밀번호 변경 실패',
      'password.reset-requested': '메일로 새 비밀번호를 요청함',
      'password.reset': '메일로 새 비밀번호를 정함',
      'password.reset-failed': '새 비밀번호를 정하지 못함',
      'role.granted': '권한을 받음',
      'role.revoked': '권한이 없어짐',
      'throttle.locked': '시도가 너무 많아 로그인이 잠시 잠김',
      'throttle.unlocked': '로그인 잠금이 풀림',
    },
  },
}

/** The refusal in words; null for one that nobody who fills in a form can do anything about. */
export function describeProblem(
  texts: PageTexts,
  code: ErrorCode,
  members: { readonly seconds: number; readonly least: number },
): string | null {
  return Object.hasOwn(texts.problems, code) ? texts.problems[code as Told](members) : null
}
