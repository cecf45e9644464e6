"""What a handset is told, by a key that stays the same, in every language that the box speaks.

The keys are the reasons of the trunk (gateway/calls/routing.py), those of the lines (gateway/phones), and
single signs, of which numbers and addresses are made. A line is a whole sentence: nothing is glued but signs.
"""

from typing import Final

LANGUAGES: Final = ("en", "de", "fr", "es")

SENTENCES: Final[dict[str, tuple[str, str, str, str]]] = {
    # --- why a call was not possible, or ended ----------------------------------------------------
    "all_down": (
        "All Internet channels are down. No call is possible at the moment.",
        "Alle Internetzugänge sind gestört. Zurzeit ist kein Anruf möglich.",
        "Toutes les connexions Internet sont coupées. Aucun appel n'est possible pour le moment.",
        "Todas las conexiones a Internet están caídas. Ahora no se puede llamar.",
    ),
    "provider_silent": (
        "The telephone provider does not answer.",
        "Der Telefonanbieter antwortet nicht.",
        "L'opérateur téléphonique ne répond pas.",
        "El operador telefónico no responde.",
    ),
    "provider_busy": (
        "The telephone provider is overloaded. Please try again in a minute.",
        "Der Telefonanbieter ist überlastet. Bitte versuchen Sie es in einer Minute noch einmal.",
        "L'opérateur téléphonique est surchargé. Veuillez réessayer dans une minute.",
        "El operador telefónico está saturado. Inténtelo de nuevo dentro de un minuto.",
    ),
    "provider_fault": (
        "The telephone provider has a fault and could not put the call through.",
        "Beim Telefonanbieter liegt eine Störung vor. Der Anruf konnte nicht verbunden werden.",
        "L'opérateur téléphonique est en panne et n'a pas pu établir l'appel.",
        "El operador telefónico tiene una avería y no ha podido establecer la llamada.",
    ),
    "not_authorised": (
        "The telephone provider does not accept calls from this address.",
        "Der Telefonanbieter nimmt von dieser Adresse keine Anrufe an.",
        "L'opérateur téléphonique n'accepte pas les appels depuis cette adresse.",
        "El operador telefónico no acepta llamadas desde esta dirección.",
    ),
    "refused": (
        "The telephone provider refused the call. Credit, destination or address may be the reason.",
        "Der Telefonanbieter hat den Anruf abgelehnt. Guthaben, Ziel oder Adresse können der Grund sein.",
        "L'opérateur téléphonique a refusé l'appel, à cause du crédit, de la destination ou de l'adresse.",
        "El operador telefónico ha rechazado la llamada, por el saldo, el destino o la dirección.",
    ),
    "no_credit": (
        "The telephone provider asks for payment first.",
        "Der Telefonanbieter verlangt zuerst eine Zahlung.",
        "L'opérateur téléphonique demande d'abord un paiement.",
        "El operador telefónico pide antes un pago.",
    ),
    "unknown_number": (
        "There is no such number.",
        "Diese Nummer gibt es nicht.",
        "Ce numéro n'existe pas.",
        "Ese número no existe.",
    ),
    "incomplete_number": (
        "The number is incomplete.",
        "Die Nummer ist unvollständig.",
        "Le numéro est incomplet.",
        "El número está incompleto.",
    ),
    "invalid_number": (
        "This number cannot be dialled.",
        "Diese Nummer kann nicht gewählt werden.",
        "Ce numéro ne peut pas être composé.",
        "Ese número no se puede marcar.",
    ),
    "unavailable": (
        "The number cannot be reached at present.",
        "Die Nummer ist zurzeit nicht erreichbar.",
        "Le numéro n'est pas joignable pour le moment.",
        "El número no está disponible en este momento.",
    ),
    "busy": (
        "The number is busy.",
        "Der Anschluss ist besetzt.",
        "Le numéro est occupé.",
        "El número está ocupado.",
    ),
    "declined": (
        "The call was declined.",
        "Der Anruf wurde abgelehnt.",
        "L'appel a été refusé.",
        "La llamada ha sido rechazada.",
    ),
    "cancelled": (
        "The call was cancelled.",
        "Der Anruf wurde abgebrochen.",
        "L'appel a été annulé.",
        "La llamada ha sido cancelada.",
    ),
    "no_answer": ("Nobody answers.", "Niemand meldet sich.", "Personne ne répond.", "Nadie contesta."),
    "no_codec": (
        "The other side and this box have no way of coding speech in common.",
        "Die Gegenseite und dieses Gerät haben kein gemeinsames Sprachformat.",
        "L'autre côté et cet appareil n'ont aucun format audio en commun.",
        "El otro lado y este equipo no tienen ningún formato de voz en común.",
    ),
    "redirected": (
        "The provider redirected the call. For safety, that is not followed.",
        "Der Anbieter hat den Anruf umgeleitet. Das wird aus Sicherheitsgründen nicht befolgt.",
        "L'opérateur a renvoyé l'appel. Par sécurité, ce renvoi n'est pas suivi.",
        "El operador ha desviado la llamada. Por seguridad, el desvío no se sigue.",
    ),
    "fault": (
        "The call could not be put through.",
        "Der Anruf konnte nicht verbunden werden.",
        "L'appel n'a pas pu être établi.",
        "No se ha podido establecer la llamada.",
    ),
    "hung_up": (
        "The call was ended here.",
        "Der Anruf wurde hier beendet.",
        "L'appel a été terminé ici.",
        "La llamada se ha terminado aquí.",
    ),
    "far_hung_up": (
        "The other side has hung up.",
        "Die Gegenseite hat aufgelegt.",
        "Votre correspondant a raccroché.",
        "El otro lado ha colgado.",
    ),
    "phone_removed": (
        "This telephone was taken out of the settings.",
        "Dieses Telefon wurde aus den Einstellungen genommen.",
        "Ce téléphone a été retiré de la configuration.",
        "Este teléfono se ha quitado de la configuración.",
    ),
    "please_wait": (
        "All Internet channels are down. Please hold the line: the call waits for one to come back.",
        "Alle Internetzugänge sind gestört. Bitte bleiben Sie am Apparat: Der Anruf wartet.",
        "Toutes les connexions Internet sont coupées. Ne quittez pas : l'appel attend leur retour.",
        "Todas las conexiones a Internet están caídas. No cuelgue: la llamada espera a que vuelva una.",
    ),
    "calling_again": (
        "The Internet channel failed. The number is being called again.",
        "Der Internetzugang ist ausgefallen. Die Nummer wird noch einmal angerufen.",
        "La connexion Internet a été coupée. Le numéro est rappelé.",
        "La conexión a Internet ha fallado. Se vuelve a llamar al número.",
    ),
    "lost": (
        "The Internet channel failed, and the call could not be carried over to another one.",
        "Der Internetzugang ist ausgefallen, und der Anruf konnte nicht auf einen anderen wechseln.",
        "La connexion Internet a été coupée et l'appel n'a pas pu passer sur une autre.",
        "La conexión a Internet ha fallado y la llamada no ha podido pasar a otra.",
    ),
    "lost_all_down": (
        "All Internet channels are down, and the call had to be ended.",
        "Alle Internetzugänge sind gestört. Der Anruf musste beendet werden.",
        "Toutes les connexions Internet sont coupées et l'appel a dû être terminé.",
        "Todas las conexiones a Internet están caídas y la llamada ha tenido que terminar.",
    ),
    # --- what a line says of itself ---------------------------------------------------------------
    "hang_up": (
        "Please put the handset down.",
        "Bitte legen Sie auf.",
        "Veuillez raccrocher.",
        "Cuelgue, por favor.",
    ),
    "done": ("Done.", "Erledigt.", "C'est fait.", "Hecho."),
    "not_allowed": (
        "This is not allowed at this telephone.",
        "Das ist an diesem Telefon nicht erlaubt.",
        "Ceci n'est pas autorisé sur ce téléphone.",
        "Eso no está permitido en este teléfono.",
    ),
    "pin_wanted": (
        "Please dial the PIN for this call, and then the hash key.",
        "Bitte wählen Sie die PIN für diesen Anruf und danach die Rautetaste.",
        "Veuillez composer le code pour cet appel, puis la touche dièse.",
        "Marque el PIN para esta llamada y después la tecla almohadilla.",
    ),
    "pin_wrong": (
        "The PIN is wrong.",
        "Die PIN ist falsch.",
        "Le code est faux.",
        "El PIN es incorrecto.",
    ),
    "pin_closed": (
        "Too many wrong PINs were given. Please try again in ten minutes.",
        "Die PIN wurde zu oft falsch eingegeben. Bitte versuchen Sie es in zehn Minuten noch einmal.",
        "Trop de codes faux ont été composés. Veuillez réessayer dans dix minutes.",
        "Se ha marcado un PIN incorrecto demasiadas veces. Inténtelo de nuevo dentro de diez minutos.",
    ),
    "country_refused": (
        "Calls to this country are not allowed.",
        "Anrufe in dieses Land sind nicht erlaubt.",
        "Les appels vers ce pays ne sont pas autorisés.",
        "No se permiten las llamadas a este país.",
    ),
    "kind_refused": (
        "Calls to numbers of this kind are not allowed.",
        "Anrufe zu Nummern dieser Art sind nicht erlaubt.",
        "Les appels vers ce type de numéro ne sont pas autorisés.",
        "No se permiten las llamadas a números de este tipo.",
    ),
    "outside_hours": (
        "Calls are not allowed at this time of day.",
        "Um diese Zeit sind keine Anrufe erlaubt.",
        "Les appels ne sont pas autorisés à cette heure.",
        "No se permiten llamadas a esta hora.",
    ),
    "too_many_calls": (
        "There are too many calls now. Please try again later.",
        "Es sind zurzeit zu viele Anrufe. Bitte versuchen Sie es später noch einmal.",
        "Il y a trop d'appels en ce moment. Veuillez réessayer plus tard.",
        "Ahora hay demasiadas llamadas. Inténtelo de nuevo más tarde.",
    ),
    "minutes_used": (
        "Today's minutes for calls are used up.",
        "Die Gesprächsminuten für heute sind verbraucht.",
        "Les minutes d'appel de la journée sont épuisées.",
        "Los minutos de llamada de hoy se han agotado.",
    ),
    "too_long": (
        "The call has reached the longest time that is allowed.",
        "Der Anruf hat die längste erlaubte Dauer erreicht.",
        "L'appel a atteint la durée maximale autorisée.",
        "La llamada ha alcanzado la duración máxima permitida.",
    ),
    "help_needed_it": (
        "The line is needed for an emergency call.",
        "Die Leitung wird für einen Notruf gebraucht.",
        "La ligne est nécessaire pour un appel d'urgence.",
        "La línea hace falta para una llamada de emergencia.",
    ),
    "nothing_to_redial": (
        "No number has been dialled here yet.",
        "Hier wurde noch keine Nummer gewählt.",
        "Aucun numéro n'a encore été composé ici.",
        "Aquí todavía no se ha marcado ningún número.",
    ),
    "no_last_caller": (
        "The number of the last caller is not known.",
        "Die Nummer des letzten Anrufers ist nicht bekannt.",
        "Le numéro du dernier appelant n'est pas connu.",
        "No se conoce el número de la última llamada.",
    ),
    "nothing_rings": (
        "No telephone is ringing.",
        "Es klingelt kein Telefon.",
        "Aucun téléphone ne sonne.",
        "No suena ningún teléfono.",
    ),
    "dnd_on": (
        "This telephone does not ring any more.",
        "Dieses Telefon klingelt nicht mehr.",
        "Ce téléphone ne sonnera plus.",
        "Este teléfono ya no sonará.",
    ),
    "dnd_off": (
        "This telephone rings again.",
        "Dieses Telefon klingelt wieder.",
        "Ce téléphone sonne de nouveau.",
        "Este teléfono vuelve a sonar.",
    ),
    "forward_on": (
        "Calls to this telephone now ring at number",
        "Anrufe an dieses Telefon klingeln jetzt bei Nummer",
        "Les appels vers ce téléphone sonnent maintenant au numéro",
        "Las llamadas a este teléfono suenan ahora en el número",
    ),
    "forward_off": (
        "Calls ring at this telephone again.",
        "Anrufe klingeln wieder an diesem Telefon.",
        "Les appels sonnent de nouveau sur ce téléphone.",
        "Las llamadas vuelven a sonar en este teléfono.",
    ),
    "forward_refused": (
        "Calls can be forwarded to telephones of this box only.",
        "Anrufe können nur an Telefone dieses Geräts weitergeleitet werden.",
        "Les appels ne peuvent être renvoyés que vers les téléphones de cet appareil.",
        "Las llamadas solo se pueden desviar a teléfonos de este equipo.",
    ),
    # --- what `***` says --------------------------------------------------------------------------
    "address_is": (
        "The page of this box has the address",
        "Die Seite dieses Geräts hat die Adresse",
        "La page de cet appareil a l'adresse",
        "La página de este equipo tiene la dirección",
    ),
    "no_address": (
        "This box has no address in the office's network.",
        "Dieses Gerät hat keine Adresse im Büronetz.",
        "Cet appareil n'a pas d'adresse dans le réseau du bureau.",
        "Este equipo no tiene dirección en la red de la oficina.",
    ),
    "calls_by_main": (
        "Calls leave by the main Internet channel. All is well.",
        "Anrufe gehen über den Haupt-Internetzugang. Alles ist in Ordnung.",
        "Les appels passent par la connexion Internet principale. Tout va bien.",
        "Las llamadas salen por la conexión principal a Internet. Todo está bien.",
    ),
    "calls_by_backup": (
        "Calls leave by a backup channel, because the main one is down.",
        "Anrufe gehen über einen Ersatzzugang, weil der Hauptzugang gestört ist.",
        "Les appels passent par une connexion de secours, car la principale est coupée.",
        "Las llamadas salen por una conexión de reserva, porque la principal está caída.",
    ),
    # --- signs ------------------------------------------------------------------------------------
    "0": ("zero", "null", "zéro", "cero"),
    "1": ("one", "eins", "un", "uno"),
    "2": ("two", "zwei", "deux", "dos"),
    "3": ("three", "drei", "trois", "tres"),
    "4": ("four", "vier", "quatre", "cuatro"),
    "5": ("five", "fünf", "cinq", "cinco"),
    "6": ("six", "sechs", "six", "seis"),
    "7": ("seven", "sieben", "sept", "siete"),
    "8": ("eight", "acht", "huit", "ocho"),
    "9": ("nine", "neun", "neuf", "nueve"),
    "a": ("A.", "A.", "A.", "A."),
    "b": ("B.", "B.", "B.", "B."),
    "c": ("C.", "C.", "C.", "C."),
    "d": ("D.", "D.", "D.", "D."),
    "e": ("E.", "E.", "E.", "E."),
    "f": ("F.", "F.", "F.", "F."),
    "point": ("point", "Punkt", "point", "punto"),
    "colon": ("colon", "Doppelpunkt", "deux-points", "dos puntos"),
    "star": ("star", "Stern", "étoile", "asterisco"),
    "hash": ("hash", "Raute", "dièse", "almohadilla"),
}
"""In the order of LANGUAGES."""
